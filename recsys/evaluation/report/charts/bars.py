"""Bars: counts in labelled rows, and shares by tenth against what they are to be held against."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from recsys.evaluation.report.charts.axes import LABEL, left_axis
from recsys.evaluation.report.charts.fit import fitted
from recsys.evaluation.report.charts.markers import colour
from recsys.evaluation.report.charts.scales import Scale, scale_of
from recsys.evaluation.report.charts.svg import drawing, element, tooltip, words
from recsys.evaluation.report.wording import percent

WIDTH, ROW, LABELS, VALUES = 330.0, 22.0, 104.0, 52.0
TENTHS_WIDTH, TENTHS_HEIGHT = 200.0, 150.0
LEFT, RIGHT, TOP, BOTTOM = 42.0, 198.0, 8.0, 128.0


def count_chart(name: str, title: str, counts: Sequence[tuple[str, int]]) -> Markup:
    """A row each: label, bar, count."""
    most = max([count for _, count in counts], default=0) or 1
    marks = []
    for index, (label, count) in enumerate(counts):
        y, length = ROW * index, (WIDTH - LABELS - VALUES) * count / most
        marks.append(words(0, y + 15, fitted(label, LABELS - 6, LABEL), kind="label"))
        marks.append(element("rect", x=LABELS, y=y + 3, width=length, height=ROW - 6, class_="bar s0"))
        marks.append(words(LABELS + length + 6, y + 15, f"{count:,}", kind="value"))
    said = "; ".join(f"{label} {count:,}" for label, count in counts)
    return drawing(name, WIDTH, ROW * len(counts), *marks, label=f"{title}: {said}")


@dataclass(frozen=True)
class Tenths:
    """Shares by tenth of the catalogue, and the shares to hold them against."""

    shares: Sequence[float]
    against: Sequence[float]


def tenths_chart(name: str, title: str, tenths: Tenths, *, series: int, most: float) -> Markup:
    """A bar for each share and a line across it where the other one lies; the axis reaches up to `most`."""
    up = scale_of((0.0, most), BOTTOM, TOP, num_ticks=3)
    pairs = list(zip(tenths.shares, tenths.against, strict=True))
    step = (RIGHT - LEFT) / max(len(pairs), 1)
    marks = [left_axis(up, left=LEFT, right=RIGHT, text=percent)]
    marks += [_bar(up, LEFT + step * index, step, pair, series) for index, pair in enumerate(pairs)]
    marks.append(words(LEFT, BOTTOM + 15, "most clicked", kind="tick"))
    marks.append(words(RIGHT, BOTTOM + 15, "least", kind="tick", anchor="end"))
    said = "; ".join(f"{percent(share)} against {percent(other)}" for share, other in pairs)
    return drawing(name, TENTHS_WIDTH, TENTHS_HEIGHT, *marks, label=f"{title}, by tenth: {said}")


def _bar(up: Scale, x: float, width: float, shares: tuple[float, float], series: int) -> Markup:
    parts = [tooltip(f"recommended {percent(shares[0])}, clicked {percent(shares[1])}")]
    if math.isfinite(shares[0]):
        y = up(shares[0])
        bar = {"x": x + 1.5, "y": y, "width": width - 3, "height": BOTTOM - y}
        parts.append(element("rect", class_=f"bar {colour(series)}", **bar))
    if math.isfinite(shares[1]):
        y = up(shares[1])
        parts.append(element("line", x1=x, x2=x + width, y1=y, y2=y, class_="against"))
    return element("g", *parts)
