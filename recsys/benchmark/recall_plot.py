"""Recall against queries a second, as an SVG that any browser shows."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from recsys.benchmark.lookup_results import KindPoint
from recsys.evaluation.report.charts.scales import Scale, scale_of
from recsys.evaluation.report.charts.svg import element, number

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640.0, 400.0, 70.0, 540.0, 40.0, 350.0
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
GREY, INK = "#999999", "#222222"
FONT: dict[str, str | float] = {"font_family": "sans-serif", "font_size": 12.0}


def recall_plot(points: Sequence[KindPoint], exact_speed: float, title: str) -> Markup:
    """Recall@10 to the right; upwards the powers of ten of queries a second, on which the exact search is a line."""
    speeds = [math.log10(point.speed) for point in points]
    across = scale_of([min([0.9, *(point.recall for point in points)]), 1.0], LEFT, RIGHT)
    up = scale_of(
        [math.floor(min([*speeds, math.log10(exact_speed)])), math.ceil(max([*speeds, math.log10(exact_speed)]))],
        BOTTOM,
        TOP,
    )
    kinds = list(dict.fromkeys(point.kind for point in points))
    marks = [_axes(across, up), label(LEFT, TOP - 18, title, anchor="start"), _exact(up, exact_speed)]
    for number_of_kind, kind in enumerate(kinds):
        own = _frontier([point for point in points if point.kind == kind])
        places = [(across(point.recall), up(math.log10(point.speed))) for point in own]
        marks.append(_line(places, kind, COLOURS[number_of_kind % len(COLOURS)]))
    background = element("rect", width=WIDTH, height=HEIGHT, fill="#ffffff")
    box = f"0 0 {number(WIDTH)} {number(HEIGHT)}"
    return element(
        "svg", background, *marks, xmlns="http://www.w3.org/2000/svg", viewBox=box, width=WIDTH, height=HEIGHT
    )


def _frontier(points: Sequence[KindPoint]) -> list[KindPoint]:
    """Those that no other one of the kind beats in both."""
    best: list[KindPoint] = []
    for point in sorted(points, key=lambda point: (-point.speed, -point.recall)):
        if not best or point.recall > best[-1].recall:
            best.append(point)
    return best


def _axes(across: Scale, up: Scale) -> Markup:
    below = [label(across(tick), BOTTOM + 18, across.text(tick)) for tick in across.ticks]
    beside = [
        label(LEFT - 8, up(tick) + 4, f"{10**tick:,.0f}", anchor="end") for tick in up.ticks if float(tick).is_integer()
    ]
    lines = [rule(LEFT, up(tick), RIGHT, up(tick), "#e5e5e5") for tick in up.ticks if float(tick).is_integer()]
    names = [label((LEFT + RIGHT) / 2, BOTTOM + 38, "recall@10"), label(LEFT - 8, TOP - 14, "queries/s", anchor="end")]
    return Markup("").join([*lines, rule(LEFT, BOTTOM, RIGHT, BOTTOM, INK), *below, *beside, *names])


def _exact(up: Scale, speed: float) -> Markup:
    y = up(math.log10(speed))
    return rule(LEFT, y, RIGHT, y, GREY) + label(RIGHT + 6, y + 4, f"exact: {speed:,.0f}/s", anchor="start", fill=GREY)


def _line(places: Sequence[tuple[float, float]], kind: str, colour: str) -> Markup:
    path = " ".join(f"{number(x)},{number(y)}" for x, y in places)
    dots = [element("circle", cx=x, cy=y, r=3.0, fill=colour) for x, y in places]
    line = element("polyline", points=path, fill="none", stroke=colour, stroke_width=1.5)
    x, y = places[-1]
    return Markup("").join([line, *dots, label(x + 6, y - 6, kind, anchor="start", fill=colour)])


def rule(x1: float, y1: float, x2: float, y2: float, colour: str) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=colour, stroke_width=1.0)


def label(x: float, y: float, text: str, *, anchor: str = "middle", fill: str = INK) -> Markup:
    return element("text", text, x=x, y=y, text_anchor=anchor, fill=fill, **FONT)
