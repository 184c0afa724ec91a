"""Estimates as dots on their intervals: in labelled rows, or in groups of several series each."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from recsys.evaluation.outcome import Estimate
from recsys.evaluation.report.charts.axes import LABEL, TEXT, bottom_axis
from recsys.evaluation.report.charts.fit import fitted, width_of
from recsys.evaluation.report.charts.markers import colour, marker
from recsys.evaluation.report.charts.scales import Scale, scale_of
from recsys.evaluation.report.charts.svg import drawing, element, number, tooltip, words
from recsys.evaluation.report.wording import interval, metric

WIDTH, AXIS = 330.0, 24.0
LABELS, VALUES, ROW = 116.0, 52.0, 28.0
GROUP_LABEL, GROUP_ROW = 22.0, 12.0
RADIUS, CAP = 3.9, 4.5


@dataclass(frozen=True)
class Row:
    label: str
    series: int
    estimate: Estimate


@dataclass(frozen=True)
class Reference:
    """A value to hold the others against."""

    value: float
    label: str


@dataclass(frozen=True)
class Group:
    """Rows under one heading; `note` stands at its right."""

    label: str
    note: str
    rows: tuple[Row, ...]


def interval_chart(name: str, title: str, rows: Sequence[Row], reference: Reference | None = None) -> Markup:
    """A row each: label, dot on its interval, value. The scale begins at nought."""
    top = 18.0
    bottom = top + ROW * len(rows)
    limit = [] if reference is None else [reference.value]
    scale = scale_of([*_values(rows), *limit], LABELS, WIDTH - VALUES)
    marks = [bottom_axis(scale, top=top, bottom=bottom)]
    if reference is not None and math.isfinite(reference.value):
        marks.append(_reference(reference, scale, bottom))
    for index, row in enumerate(rows):
        y = top + ROW * (index + 0.5)
        marks.append(words(0, y + 4, fitted(row.label, LABELS - 6, LABEL), kind="label"))
        marks.append(_dot(row, scale, y))
        marks.append(words(WIDTH, y + 4, metric(row.estimate.value), kind="value", anchor="end"))
    return drawing(name, WIDTH, bottom + AXIS, *marks, label=_said(title, rows))


def grouped_interval_chart(name: str, title: str, groups: Sequence[Group], extent: Sequence[float] = ()) -> Markup:
    """Groups below one another. The scale reaches as far as `extent` too, so that charts can share one."""
    rows = [row for group in groups for row in group.rows]
    scale = scale_of([*_values(rows), *extent], 20.0, WIDTH - 20.0)
    heights = [GROUP_LABEL + GROUP_ROW * len(group.rows) + 6 for group in groups]
    bottom = sum(heights)
    marks, top = [bottom_axis(scale, top=0, bottom=bottom)], 0.0
    for group, height in zip(groups, heights, strict=True):
        marks.append(element("rect", x=0, y=top, width=WIDTH, height=GROUP_LABEL - 4, class_="strip"))
        marks.append(
            words(6, top + 13, fitted(group.label, WIDTH - 18 - width_of(group.note, TEXT), LABEL), kind="label")
        )
        marks.append(words(WIDTH - 6, top + 13, group.note, kind="tick", anchor="end"))
        for index, row in enumerate(group.rows):
            marks.append(_dot(row, scale, top + GROUP_LABEL + GROUP_ROW * (index + 0.5)))
        top += height
    said = "; ".join(_said(group.label, group.rows) for group in groups)
    return drawing(name, WIDTH, bottom + AXIS, *marks, label=f"{title}. {said}")


def _values(rows: Iterable[Row]) -> list[float]:
    """All that has to fit, nought included."""
    return [0.0, *(end for row in rows for end in (row.estimate.value, row.estimate.low, row.estimate.high))]


def _dot(row: Row, scale: Scale, y: float) -> Markup:
    """Nothing where the estimate is no number."""
    estimate = row.estimate
    if not math.isfinite(estimate.value):
        return Markup("")
    parts = [tooltip(f"{row.label}: {metric(estimate.value)} ({interval(estimate)})")]
    if math.isfinite(estimate.low) and math.isfinite(estimate.high):
        low, high = number(scale(estimate.low)), number(scale(estimate.high))
        top, middle, bottom = number(y - CAP), number(y), number(y + CAP)
        path = f"M{low} {top}V{bottom}M{high} {top}V{bottom}M{low} {middle}H{high}"
        parts.append(element("path", d=path, class_=f"interval {colour(row.series)}"))
    parts.append(marker(row.series, scale(estimate.value), y, RADIUS))
    return element("g", *parts)


def _reference(reference: Reference, scale: Scale, bottom: float) -> Markup:
    x = scale(reference.value)
    label = words(WIDTH, 11, f"{reference.label} {metric(reference.value)}", kind="tick", anchor="end")
    return element("line", x1=x, x2=x, y1=15, y2=bottom, class_="reference") + label


def _said(title: str, rows: Sequence[Row]) -> str:
    said = "; ".join(f"{row.label} {metric(row.estimate.value)} ({interval(row.estimate)})" for row in rows)
    return f"{title}: {said or 'nobody'}"
