"""Mixers beside each other, as an SVG that any browser shows: quality against minutes of training, or the time of a
step against the clicks of a row; and memory against the clicks of a row."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import mean

from recsys.benchmark.mixer_results import MixerResult, MixersBenchmark
from recsys.benchmark.recall_plot import INK, label, rule
from recsys.evaluation.report.charts.scales import scale_of
from recsys.evaluation.report.charts.svg import element, number

PANEL_WIDTH, LEFT, RIGHT, TOP, LEAST_HEIGHT = 640.0, 70.0, 440.0, 60.0, 300.0
LABELS, LABEL_HEIGHT = RIGHT + 34, 15.0
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#222222", "#8b4513")
DASHES = ("none", "6 3", "2 3")
GRID = "#e5e5e5"
WORTH_SEEING = 0.7
"""Of the best quality: what is below, on the way up, is left out."""

Place = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """Lines of one name, in the units of the axes."""

    name: str
    style: int
    lines: tuple[tuple[Place, ...], ...]


@dataclass(frozen=True)
class Axis:
    """From values to places on paper; some values are told."""

    place: Callable[[float], float]
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Panel:
    title: str
    below: str
    """What the axis to the right is of."""
    curves: tuple[Curve, ...]
    across: Callable[[float, float], Axis]
    up: Callable[[float, float], Axis]
    """Axes, between two places on paper."""


def mixers_plot(found: MixersBenchmark) -> str:
    """Two panels, whose lines end at their names."""
    height = max(LEAST_HEIGHT, LABEL_HEIGHT * len(found.mixers))
    trained = any(mixer.validations for mixer in found.mixers)
    panels = [_quality(found) if trained else _time(found), _memory(found)]
    width, whole = PANEL_WIDTH * len(panels), TOP + height + 60
    return element(
        "svg",
        element("rect", width=width, height=whole, fill="#ffffff"),
        *(_drawn(panel, PANEL_WIDTH * place, TOP + height) for place, panel in enumerate(panels)),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {number(width)} {number(whole)}",
        width=width,
        height=whole,
    )


def _quality(found: MixersBenchmark) -> Panel:
    """The best validation so far: what would be kept if training ended there."""
    floor = WORTH_SEEING * max(value for mixer in found.mixers for value in mixer.validations)
    curves = _curves(found, lambda mixer: [_best_so_far(each, floor) for each in _histories(mixer)])
    places = [place for curve in curves for line in curve.lines for place in line]
    return Panel(
        f"Validation NDCG@10, {found.minutes:g} minutes of training",
        "minutes of training",
        curves,
        lambda start, end: linear([0.0, *(minutes for minutes, _ in places)], start, end),
        lambda start, end: linear([value for _, value in places], start, end),
    )


def _histories(mixer: MixerResult) -> list[list[Place]]:
    outcomes = [training.outcome for training in mixer.trainings if training.outcome is not None]
    return [
        [(epoch.minutes, epoch.validation) for epoch in outcome.history if epoch.validation is not None]
        for outcome in outcomes
    ]


def _best_so_far(history: Sequence[Place], floor: float) -> list[Place]:
    """The last one always."""
    best = [(minutes, max(value for _, value in history[: place + 1])) for place, (minutes, _) in enumerate(history)]
    return [place for place in best if place[1] >= floor] or best[-1:]


def _time(found: MixersBenchmark) -> Panel:
    curves = _curves(found, lambda mixer: [[(s.length, 1e3 * s.seconds) for s in mixer.steps if s.seconds]])
    return _by_length(found, "A training step, ms", curves)


def _memory(found: MixersBenchmark) -> Panel:
    curves = _curves(found, lambda mixer: [[(s.length, s.memory_mb) for s in mixer.steps if s.memory_mb]])
    return _by_length(found, "Memory of a training step at its peak, MB", curves)


def _by_length(found: MixersBenchmark, title: str, curves: tuple[Curve, ...]) -> Panel:
    values = [value for curve in curves for line in curve.lines for _, value in line]
    return Panel(
        f"{title} ({found.tokens:,} clicks)",
        "clicks of a row",
        curves,
        lambda start, end: logarithmic(found.lengths, start, end, found.lengths),
        lambda start, end: logarithmic(values, start, end),
    )


def _curves(found: MixersBenchmark, lines_of: Callable[[MixerResult], list[list[Place]]]) -> tuple[Curve, ...]:
    """Those that have a point, each in the style of its mixer whatever others there are."""
    curves = (
        Curve(mixer.name, style, tuple(tuple(line) for line in lines_of(mixer) if line))
        for style, mixer in enumerate(found.mixers)
    )
    return tuple(curve for curve in curves if curve.lines)


def linear(values: Iterable[float], start: float, end: float) -> Axis:
    scale = scale_of(values, start, end)
    return Axis(scale, tuple((tick, scale.text(tick)) for tick in scale.ticks))


def logarithmic(values: Iterable[float], start: float, end: float, ticks: Sequence[float] = ()) -> Axis:
    """Ticks at 1, 2 and 5 times the powers of ten, which end it, unless they are given."""
    logs = [math.log10(value) for value in [*values, *ticks]] or [0.0]
    powers = range(math.floor(min(logs)), math.ceil(max(logs)) + 1)
    round_values = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    above = next(value for value in [*round_values, 10.0 ** (powers[-1] + 1)] if value > 10 ** max(logs) * (1 - 1e-9))
    below = [value for value in round_values if value < 10 ** min(logs) * (1 + 1e-9)][-1]
    low, high = (min(ticks), max(ticks)) if ticks else (below, above)
    told = sorted(ticks) if ticks else [value for value in round_values if low <= value <= high]
    span = math.log10(high / low) or 1.0

    def place(value: float) -> float:
        return start + math.log10(value / low) / span * (end - start)

    return Axis(place, tuple((value, f"{value:,g}" if value < 1000 else f"{value:,.0f}") for value in told))


def _drawn(panel: Panel, shift: float, bottom: float) -> str:
    across, up = panel.across(LEFT, RIGHT), panel.up(bottom, TOP)
    marks: list[str] = [label(LEFT, TOP - 24, panel.title, anchor="start")]
    marks.append(label((LEFT + RIGHT) / 2, bottom + 40, panel.below))
    for value, text in up.ticks:
        marks.append(rule(LEFT, up.place(value), RIGHT, up.place(value), GRID))
        marks.append(label(LEFT - 8, up.place(value) + 4, text, anchor="end"))
    for value, text in across.ticks:
        marks.append(rule(across.place(value), bottom, across.place(value), bottom + 5, INK))
        marks.append(label(across.place(value), bottom + 20, text))
    marks.append(rule(LEFT, bottom, RIGHT, bottom, INK))
    drawn = [[[(across.place(x), up.place(y)) for x, y in line] for line in curve.lines] for curve in panel.curves]
    heights = spread([mean(line[-1][1] for line in lines) for lines in drawn], LABEL_HEIGHT, TOP, bottom)
    for curve, lines, height in zip(panel.curves, drawn, heights, strict=True):
        marks += _curve_marks(curve, lines, height)
    return element("g", *marks, transform=f"translate({number(shift)} 0)")


def _curve_marks(curve: Curve, lines: Sequence[Sequence[Place]], height: float) -> list[str]:
    """The lines, and its name at `height` with a thin line to where each of them ends."""
    colour, dash = COLOURS[curve.style % len(COLOURS)], DASHES[curve.style // len(COLOURS) % len(DASHES)]
    marks: list[str] = []
    for line in lines:
        path = " ".join(f"{number(x)},{number(y)}" for x, y in line)
        marks.append(
            element("polyline", points=path, fill="none", stroke=colour, stroke_width=1.6, stroke_dasharray=dash)
        )
        marks += [element("circle", cx=x, cy=y, r=2.2, fill=colour) for x, y in line]
        marks.append(_leader(line[-1], height, colour))
    return [*marks, label(LABELS, height + 4, curve.name, anchor="start", fill=colour)]


def _leader(end: Place, height: float, colour: str) -> str:
    """Level through the drawing, so that it is no line of its own there, then to the name."""
    points = [end, (max(end[0], RIGHT) + 4, end[1]), (LABELS - 4, height)]
    path = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    return element("polyline", points=path, fill="none", stroke=colour, stroke_width=0.6, opacity="0.6")


def spread(heights: Sequence[float], least: float, top: float, bottom: float) -> list[float]:
    """At least so far apart, in their order, each where it was or below, and above the bottom if there is room."""
    order = sorted(range(len(heights)), key=lambda place: heights[place])
    moved = [0.0] * len(heights)
    lowest = top - least
    for place in order:
        lowest = moved[place] = max(heights[place], lowest + least)
    highest = bottom + least
    for place in reversed(order):
        highest = moved[place] = min(moved[place], highest - least)
    return moved
