"""One value by epoch, or by weight, the best one marked."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from recsys.evaluation.report.charts.axes import bottom_axis, left_axis
from recsys.evaluation.report.charts.markers import marker
from recsys.evaluation.report.charts.scales import Scale, scale_of, whole_scale_of
from recsys.evaluation.report.charts.svg import drawing, element, number, tooltip, words
from recsys.evaluation.report.wording import metric

WIDTH, HEIGHT = 330.0, 214.0
LEFT, RIGHT, TOP, BOTTOM = 42.0, 318.0, 24.0, 190.0


def epoch_chart(name: str, title: str, points: Sequence[tuple[int, float]], best_epoch: int) -> Markup:
    """Values that are no numbers are left out."""
    finite = _finite(points)
    across = whole_scale_of((epoch for epoch, _ in finite), LEFT, RIGHT)
    return _line_chart(name, f"{title} by epoch", finite, across, Mark(best_epoch, "epoch", "kept"))


def weight_chart(name: str, title: str, points: Sequence[tuple[float, float]], weight: float) -> Markup:
    finite = _finite(points)
    across = scale_of((each for each, _ in finite), LEFT, RIGHT)
    return _line_chart(name, f"{title} by the ranker's weight", finite, across, Mark(weight, "weight", "chosen"))


@dataclass(frozen=True)
class Mark:
    """The point that matters most: epoch 3, kept."""

    place: float
    unit: str
    why: str


def _finite(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(place, value) for place, value in points if math.isfinite(value)]


def _line_chart(name: str, title: str, finite: Sequence[tuple[float, float]], across: Scale, mark: Mark) -> Markup:
    up = scale_of((value for _, value in finite), BOTTOM, TOP)
    places = [f"{number(across(place))},{number(up(value))}" for place, value in finite]
    marks = [
        left_axis(up, left=LEFT, right=RIGHT),
        bottom_axis(across, top=BOTTOM, bottom=BOTTOM),
        element("polyline", points=" ".join(places), class_="line s0"),
    ]
    said = [f"{mark.unit} {place:g}: {metric(value)}" for place, value in finite]
    for (place, value), text in zip(finite, said, strict=True):
        radius = 5.0 if place == mark.place else 2.0
        marks.append(marker(0, across(place), up(value), radius, tooltip(text)))
    best = [value for place, value in finite if place == mark.place]
    if best:
        marks.append(_best(across(mark.place), f"{mark.unit} {mark.place:g} {mark.why}: {metric(best[0])}"))
    label = f"{title}, {mark.place:g} {mark.why}: {'; '.join(text.replace(':', '') for text in said)}"
    return drawing(name, WIDTH, HEIGHT, *marks, label=label)


def _best(x: float, text: str) -> Markup:
    anchor = "end" if x > (LEFT + RIGHT) / 2 else "start"
    line = element("line", x1=x, x2=x, y1=TOP - 6, y2=BOTTOM, class_="reference")
    return line + words(x, TOP - 10, text, kind="label", anchor=anchor)
