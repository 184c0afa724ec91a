"""Points on a map: coloured by group, sized by weight, the weightiest ones labelled where there is room."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from recsys.evaluation.report.charts.fit import fitted, width_of
from recsys.evaluation.report.charts.markers import colour
from recsys.evaluation.report.charts.svg import drawing, element, tooltip, words

SIZE, MARGIN = 640.0, 12.0
LEAST_HEIGHT = 0.4
"""Of the width."""
SMALLEST, LARGEST = 1.8, 7.0
MAX_LABELS, LABEL_WIDTH = 24, 160.0
LETTERS, LINE = 10, 13.0
"""Size of a label's letters, and the room that its line takes."""


@dataclass(frozen=True)
class Point:
    """-1 <= x, y <= 1."""

    x: float
    y: float
    group: int
    weight: float
    label: str
    tooltip: str


@dataclass(frozen=True)
class _Box:
    left: float
    top: float
    width: float

    def meets(self, other: "_Box") -> bool:
        apart = self.left + self.width < other.left or other.left + other.width < self.left
        return not apart and abs(self.top - other.top) < LINE


def map_chart(name: str, title: str, points: Sequence[Point]) -> Markup:
    """Large points lie below small ones."""
    finite = [point for point in points if math.isfinite(point.x) and math.isfinite(point.y)]
    drawn = sorted(finite, key=lambda point: -point.weight)
    most = max([point.weight for point in drawn], default=0.0) or 1.0
    frame = _Frame.around(drawn)
    dots = [_dot(point, most, frame) for point in drawn]
    return drawing(name, SIZE, frame.height, *dots, element("g", *_labels(drawn, frame), class_="names"), label=title)


@dataclass(frozen=True)
class _Frame:
    """As wide as the map, and as high as its points need: one scale for both axes."""

    height: float

    @classmethod
    def around(cls, points: Sequence[Point]) -> "_Frame":
        reach = max([abs(point.y) for point in points], default=1.0)
        return cls(2 * MARGIN + max(reach, LEAST_HEIGHT) * (SIZE - 2 * MARGIN))

    def place(self, point: Point) -> tuple[float, float]:
        scale = SIZE / 2 - MARGIN
        return SIZE / 2 + scale * point.x, self.height / 2 - scale * point.y


def _dot(point: Point, most: float, frame: _Frame) -> Markup:
    radius = SMALLEST + (LARGEST - SMALLEST) * math.sqrt(max(point.weight, 0.0) / most)
    x, y = frame.place(point)
    return element("circle", tooltip(point.tooltip), cx=x, cy=y, r=radius, class_=colour(point.group))


def _labels(points: Sequence[Point], frame: _Frame) -> list[Markup]:
    """To the right of their points, each only if it meets no earlier one and stays inside."""
    boxes: list[_Box] = []
    labels = []
    for point in points[: 4 * MAX_LABELS]:
        text = fitted(point.label, LABEL_WIDTH, LETTERS)
        x, y = frame.place(point)
        box = _Box(x + 9, y, width_of(text, LETTERS))
        if box.left + box.width > SIZE or box.top < LINE or any(box.meets(other) for other in boxes):
            continue
        boxes.append(box)
        labels.append(words(box.left, box.top + 3.5, text, kind="name"))
        if len(labels) == MAX_LABELS:
            break
    return labels
