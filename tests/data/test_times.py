"""Times in every dress become the same microseconds, and what is no time is told apart from what is out of bounds."""

import time
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.data.events.times import MICROSECONDS, better_unit, parse_times

MOMENT = datetime(2024, 2, 29, 12, 30, 15, 250000, tzinfo=UTC)
EXPECTED = int(MOMENT.timestamp() * 1e6)


def parsed(values, kind="calendar", unit="s", dtype=None):
    return parse_times(pl.Series("when", values, dtype=dtype), kind, unit).parsed.to_list()


def faults(values, kind="calendar", unit="s", dtype=None):
    times = parse_times(pl.Series("when", values, dtype=dtype, strict=False), kind, unit)
    reasons = times.faults(pl.Series(np.arange(len(values)))).to_list()
    assert [reason is None for reason in reasons] == times.usable.tolist()
    return [reason and reason.removeprefix("when ") for reason in reasons]


@pytest.mark.parametrize("unit", ["d", "h", "min", "s", "ms", "us", "ns"])
def test_every_unit_as_integer_decimal_and_text(unit):
    day = datetime(2024, 2, 29, tzinfo=UTC)
    count = round(day.timestamp() * 1e6 / MICROSECONDS[unit])
    expected = [int(day.timestamp() * 1e6)]
    assert parsed([count], unit=unit) == parsed([str(count)], unit=unit) == expected
    assert parsed([float(count)], unit=unit) == parsed([f"{count}.0"], unit=unit) == expected


def test_fractions_of_units():
    assert parsed([MOMENT.timestamp()]) == parsed([str(MOMENT.timestamp())]) == [EXPECTED]
    assert parsed([EXPECTED * 1000 + 999], unit="ns") == [EXPECTED]


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-29T12:30:15.25", "2024-02-29 12:30:15.250000", "2024-02-29T12:30:15.250Z",
        "2024-02-29T14:30:15.25+02:00", "2024-02-29T07:00:15.25-0530", " 2024-02-29 12:30:15.25 ",
    ],
)  # fmt: skip
def test_iso_texts_bare_and_with_a_zone(text):
    assert parsed([text]) == [EXPECTED]
    assert parsed([text, str(int(MOMENT.timestamp())), None]) == [EXPECTED, EXPECTED - 250_000, None]


def test_iso_dates_and_minutes():
    midnight = int(datetime(2024, 2, 29, tzinfo=UTC).timestamp() * 1e6)
    assert parsed(["2024-02-29", "2024-02-29T00:00", "2024-02-29 02:00+02:00"]) == [midnight] * 3


def test_relative_times_count_units_and_may_be_negative():
    assert parsed([0, -5, 10**9], "relative") == [0, -5_000_000, 10**15]
    assert faults([0, -5, 10**9], "relative") == [None] * 3


def test_order_keeps_whole_numbers_and_ranks_decimals():
    assert parsed([30, -1, 2**62 - 1], "order") == [30, -1, 2**62 - 1]
    assert parsed([30.0, 7.0], "order") == [30, 7]
    assert parsed(["10", "2.5", "2"], "order") == [3, 2, 1]
    assert parsed([0.25, 0.5, 0.25], "order") == [1, 2, 1]


def test_one_bad_row_changes_no_other():
    large = 2**53 + 1
    assert parsed([str(large), str(large + 1), "oops"], "order") == [large, large + 1, None]


@given(st.lists(st.decimals(-1000, 1000, places=2), min_size=2))
def test_order_of_any_decimals_is_theirs(numbers):
    found = parsed([str(number) for number in numbers], "order")
    assert np.array_equal(np.argsort(found, kind="stable"), np.argsort(np.array(numbers, float), kind="stable"))


def test_faults_of_a_calendar():
    seconds = MOMENT.timestamp()
    tomorrow, later = time.time() + 80_000, time.time() + 100_000
    values = [
        seconds,
        None,
        float("nan"),
        float("inf"),
        -seconds,
        0,
        seconds * 1e3,
        seconds * 1e9,
        4e9 + 2e8,
        tomorrow,
        later,
    ]
    assert faults(values) == [
        None, "is missing", "is not a time", "is not a time", *["is outside 1990-2100"] * 5, None, "is in the future",
    ]  # fmt: skip
    whole = [int(value) for value in values if value is not None and np.isfinite(value)]
    assert faults(whole) == [None, *["is outside 1990-2100"] * 5, None, "is in the future"]
    assert faults([str(value) for value in whole]) == faults(whole)


def test_faults_of_texts():
    texts = ["", None, "yesterday", "2024-02-30", "1989-12-31", "2100-01-01", "2090-01-01", "17 09", "nan"]
    no_time, outside = "is not a time", "is outside 1990-2100"
    assert faults(texts) == [
        "is missing",
        "is missing",
        no_time,
        no_time,
        outside,
        outside,
        "is in the future",
        no_time,
        no_time,
    ]


@pytest.mark.parametrize("kind", ["relative", "order"])
def test_numbers_too_large_for_a_time(kind):
    assert faults([2**62, -(2**63), 1], kind) == ["is too large", "is too large", None]
    assert faults([2**64 - 1, 1], kind, dtype=pl.UInt64) == ["is too large", None]
    assert faults([1e300, 1.0], kind) == ["is too large", None]


def test_the_borders_of_the_calendar():
    first = datetime(1990, 1, 1, tzinfo=UTC)
    assert faults([first, first - timedelta(microseconds=1)]) == [None, "is outside 1990-2100"]


@pytest.mark.parametrize("true", ["d", "h", "min", "s", "ms", "us", "ns"])
@pytest.mark.parametrize("make", [int, float, str])
def test_a_better_unit_is_found(true, make):
    values = pl.Series([make(int(EXPECTED / MICROSECONDS[true])), None])
    for wrong in MICROSECONDS:
        if wrong != true:
            assert better_unit(values, wrong) == true
    assert better_unit(values, true) is None
    assert better_unit(pl.Series([1, 2, 3]), "s") is None


def test_a_column_of_nothing():
    assert faults([None, None]) == ["is missing", "is missing"]
