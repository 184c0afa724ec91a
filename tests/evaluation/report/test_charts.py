import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from recsys.evaluation.outcome import TITLES, Estimate
from recsys.evaluation.report.charts.bars import Tenths, count_chart, tenths_chart
from recsys.evaluation.report.charts.intervals import Group, Reference, Row, grouped_interval_chart, interval_chart
from recsys.evaluation.report.charts.lines import epoch_chart
from recsys.evaluation.report.charts.markers import disc, marker, swatch
from recsys.evaluation.report.charts.reliability import Pair, reliability_chart
from recsys.evaluation.report.charts.scales import scale_of, whole_scale_of
from recsys.evaluation.report.charts.scatter import Point, map_chart
from recsys.evaluation.report.charts.svg import element

PLACES = {
    "circle": ("cx", "cy"),
    "text": ("x", "y"),
    "rect": ("x", "y"),
    "line": ("x1", "y1", "x2", "y2"),
}
"""Coordinates of an element: x and y in turn."""

values = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9)
metrics = st.floats(0, 1)
anything = st.floats(width=32)
texts = st.text(alphabet=st.characters(blacklist_categories=("Cs", "Cc")), max_size=40)


@st.composite
def estimates(draw, numbers=metrics):
    low, value, high = sorted(draw(st.tuples(numbers, numbers, numbers)))
    return Estimate(value=value, low=low, high=high)


rows = st.lists(st.builds(Row, texts, st.integers(0, 12), estimates()), max_size=6)
references = st.none() | st.builds(Reference, metrics, texts)
groups = st.lists(st.builds(Group, texts, texts, st.tuples() | rows.map(tuple)), max_size=5)
points = st.lists(st.builds(Point, *[st.floats(-1, 1)] * 2, st.integers(0, 6), st.integers(0, 10**6), texts, texts))
counts = st.lists(st.tuples(texts, st.integers(0, 10**7)), max_size=8)
epochs = st.lists(st.floats(0, 100) | anything, max_size=8).map(lambda losses: list(enumerate(losses, start=1)))
pairs = st.lists(st.builds(Pair, metrics, metrics, st.integers(0, 10**6)), max_size=8)
shares = st.lists(metrics, min_size=10, max_size=10)
charts = st.one_of(
    st.builds(lambda rows, reference: interval_chart("c", "t", rows, reference), rows, references),
    st.builds(lambda groups, extent: grouped_interval_chart("c", "t", groups, extent), groups, st.lists(metrics)),
    st.builds(lambda points: map_chart("c", "t", points), points),
    st.builds(lambda counts: count_chart("c", "t", counts), counts),
    st.builds(lambda points, best: epoch_chart("c", "t", points, best), epochs, st.integers(0, 9)),
    st.builds(lambda pairs: reliability_chart("c", "t", pairs), pairs),
    st.builds(lambda own, other: tenths_chart("c", "t", Tenths(own, other), series=1, most=1.0), shares, shares),
)


def tree_of(chart):
    """The chart as XML, which is stricter than a browser."""
    return ElementTree.fromstring(f'<html xmlns:h="h">{chart}</html>')[0]


def coordinates(mark):
    """Numbers of a mark, x and y in turn."""
    if mark.tag in {"polygon", "polyline"}:
        return [float(number) for pair in mark.get("points").split() for number in pair.split(",")]
    if mark.tag == "path":
        return interval_ends(mark.get("d"))
    found = [float(mark.get(name, 0)) for name in PLACES.get(mark.tag, ())]
    if mark.tag == "rect":
        found += [found[0] + float(mark.get("width")), found[1] + float(mark.get("height"))]
    return found


def interval_ends(path):
    low, top, bottom, high, *_ = map(float, re.findall(r"-?[\d.]+", path)[:4])
    return [low, top, high, bottom]


@given(charts)
def test_every_mark_lies_inside_its_drawing(chart):
    svg = tree_of(chart)
    _, _, width, height = map(float, svg.get("viewBox").split())
    for mark in svg.iter():
        found = coordinates(mark)
        assert all(-0.1 <= x <= width + 0.1 for x in found[::2]), mark.attrib
        assert all(-0.1 <= y <= height + 0.1 for y in found[1::2]), mark.attrib


@given(charts)
def test_charts_are_named_described_and_safe(chart):
    svg = tree_of(chart)
    assert isinstance(chart, Markup)
    assert (svg.get("data-chart"), svg.get("role")) == ("c", "img")
    assert svg.get("aria-label").startswith("t")


@given(st.lists(values, max_size=10), st.integers(2, 8))
def test_a_scale_covers_its_values_and_ends_on_ticks(numbers, num_ticks):
    scale = scale_of(numbers, 0.0, 100.0, num_ticks=num_ticks)
    room = 1e-6 * (scale.high - scale.low)
    assert all(scale.low - room <= value <= scale.high + room for value in numbers)
    assert math.isclose(scale.ticks[0], scale.low, abs_tol=room)
    assert math.isclose(scale.ticks[-1], scale.high, abs_tol=room)
    assert 2 <= len(scale.ticks) <= num_ticks + 2
    assert scale(scale.low) == 0.0
    assert math.isclose(scale(scale.high), 100.0)


@given(st.lists(st.floats(0, 1e6), max_size=10))
def test_ticks_are_told_apart(numbers):
    scale = scale_of(numbers, 0.0, 100.0)
    texts = [scale.text(tick) for tick in scale.ticks]
    assert len(set(texts)) == len(texts)
    assert [float(text.replace(",", "")) for text in texts] == pytest.approx(scale.ticks, abs=1e-9)


@given(st.lists(st.integers(0, 10**6), max_size=10))
def test_counts_have_whole_ticks(numbers):
    scale = whole_scale_of(numbers, 0.0, 100.0)
    assert all(tick == int(tick) for tick in scale.ticks)
    assert all(scale.low <= value <= scale.high for value in numbers)
    assert len(scale.ticks) >= 2


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_not_drawn(value):
    lost = Estimate(value=value, low=value, high=value)
    known = Estimate(value=0.2, low=0.1, high=0.3)
    chart = interval_chart("c", "t", [Row("a", 0, lost), Row("b", 1, known)])
    assert chart.count("<path") == 1
    assert ">\u2068n/a\u2069<" in chart
    assert map_chart("c", "t", [Point(value, 0.0, 0, 1, "a", "a")]).count("<circle") == 0
    assert epoch_chart("c", "t", [(1, value), (2, 1.0)], 2).count("<circle") == 1
    assert tenths_chart("c", "t", Tenths([value], [value]), series=0, most=1.0).count("<rect") == 0


def test_estimates_lie_where_the_axis_says():
    """0.1 lies halfway between 0 and 0.2."""
    estimates = [Estimate(value=value, low=value, high=value) for value in (0.0, 0.1, 0.2)]
    svg = tree_of(interval_chart("c", "t", [Row("a", 0, estimate) for estimate in estimates]))
    first, middle, last = (float(circle.get("cx")) for circle in svg.iter("circle"))
    assert math.isclose(middle - first, last - middle, abs_tol=0.11)
    assert last > middle > first


def test_the_names_of_our_systems_are_shown_whole_and_long_ones_are_shortened():
    known = Estimate(value=0.2, low=0.1, high=0.3)
    chart = interval_chart("c", "t", [Row(title, 0, known) for title in (*TITLES.values(), "W" * 50)])
    shown = [text.text.strip("\u2068\u2069") for text in tree_of(chart).iter("text") if text.get("class") == "label"]
    assert shown[:-1] == list(TITLES.values())
    assert shown[-1].endswith("W…")


def test_bars_are_as_long_as_their_counts_say():
    svg = tree_of(count_chart("c", "t", [("a", 10), ("b", 5), ("c", 0)]))
    lengths = [float(bar.get("width")) for bar in svg.iter("rect")]
    assert lengths[1] * 2 == pytest.approx(lengths[0])
    assert lengths[2] == 0


def test_a_map_holds_every_point_with_its_name_and_no_two_labels_meet():
    named = [
        Point(x / 10, y / 10, 0, 5, f"item {x} {y}", f"item {x} {y}, 5 clicks") for x in range(9) for y in range(9)
    ]
    svg = tree_of(map_chart("c", "t", named))
    assert {title.text for title in svg.iter("title")} == {point.tooltip for point in named}
    boxes = [(float(text.get("x")), float(text.get("y")), 5.9 * len(text.text)) for text in svg.iter("text")]
    assert len(boxes) > 5
    meeting = [(a, b) for a in boxes for b in boxes if a < b and a[0] + a[2] > b[0] and abs(a[1] - b[1]) < 12]
    assert meeting == []


def test_series_differ_in_more_than_colour():
    """Without their class, the first marks are still all different."""
    drawn = {re.sub(r' class="[^"]*"', "", marker(series, 5, 5, 4)) for series in range(6)}
    assert len(drawn) == 6
    assert all('aria-hidden="true"' in mark for mark in (swatch(1), disc(1)))


@given(texts)
def test_texts_are_escaped_as_words_and_as_attributes(text):
    found = tree_of(element("text", text, id=text))
    assert (found.text or "", found.get("id")) == (text, text)
