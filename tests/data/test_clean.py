"""Sorting is stable, duplicates and rare ids leave, conditions hold or do not."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.data.events.clean import sort_clicks, tied_with_previous, without_duplicates, without_rare
from recsys.data.events.conditions import rows_that_count
from recsys.data.events.config import MinClicksConfig, RowFilter
from recsys.errors import ConfigError

small = st.integers(1, 5)
far = st.sampled_from([-(2**62), -3, 0, 1, 7, 2**62])
logs = st.lists(st.tuples(small, small, st.integers(-2, 2))) | st.lists(st.tuples(small, small, far))


def clicks(rows):
    users, items, times = zip(*rows, strict=True) if rows else ((), (), ())
    return sort_clicks(np.array(users, np.int32), np.array(items, np.int32), np.array(times, np.int64))


def triples(found):
    return list(zip(found.users.tolist(), found.items.tolist(), found.times.tolist(), strict=True))


@given(logs)
def test_sorting_is_by_user_then_time_then_order_of_input(rows):
    expected = sorted(range(len(rows)), key=lambda row: (rows[row][0], rows[row][2], row))
    found = clicks(rows)
    assert found.rows.tolist() == expected
    assert triples(found) == [rows[row] for row in expected]


@given(logs)
def test_of_exact_duplicates_the_first_stays(rows):
    sorted_clicks = clicks(rows)
    expected = list(dict.fromkeys(triples(sorted_clicks)))
    found = without_duplicates(sorted_clicks)
    assert triples(found) == expected
    assert [rows.index(row) for row in triples(found)] == found.rows.tolist()


@given(logs)
def test_ties_are_clicks_at_the_moment_of_the_one_before(rows):
    found = triples(clicks(rows))
    expected = [n > 0 and found[n - 1][::2] == found[n][::2] for n in range(len(found))]
    assert tied_with_previous(clicks(rows)).tolist() == expected


@given(logs, small, small)
def test_rare_ids_leave_until_none_is_left(rows, per_item, per_user):
    found = without_rare(clicks(rows), MinClicksConfig(per_item=per_item, per_user=per_user))
    for codes, least in ((found.items, per_item), (found.users, per_user)):
        assert all(count >= least for count in np.unique(codes, return_counts=True)[1])
    assert set(triples(found)) <= set(rows)


@given(logs, small, st.integers(0, 9))
def test_clicks_to_be_tested_with_have_no_say_in_which_items_are_rare(rows, per_item, moment):
    config = MinClicksConfig(per_item=per_item)
    found = without_rare(clicks(rows), config, test_from=moment)
    before = [row for row in triples(clicks(rows)) if row[2] < moment]
    kept = {item for item in {row[1] for row in rows} if sum(row[1] == item for row in before) >= per_item}
    expected = [row for row in triples(clicks(rows)) if per_item == 1 or row[1] in kept]
    assert triples(found) == expected


def test_once_is_items_then_users():
    rows = [(1, 1, 1), (1, 2, 2), (2, 1, 1), (2, 3, 2), (3, 1, 1), (3, 2, 2)]
    config = {"per_item": 2, "per_user": 2}
    once = without_rare(clicks(rows), MinClicksConfig(**config, until_stable=False))
    assert triples(once) == [(1, 1, 1), (1, 2, 2), (3, 1, 1), (3, 2, 2)]
    rows = [(1, 1, 1), (1, 2, 2), (2, 1, 1), (3, 2, 1)]
    once = without_rare(clicks(rows), MinClicksConfig(**config, until_stable=False))
    assert triples(once) == [(1, 1, 1), (1, 2, 2)]
    assert len(without_rare(clicks(rows), MinClicksConfig(**config))) == 0


def condition(value, operator=">="):
    return RowFilter(column="rating", operator=operator, value=value)


@pytest.mark.parametrize(
    "values, operator, wanted, expected",
    [
        ([3, 4, 5, None], ">=", 4, [False, True, True, False]),
        ([3.5, 4.0, float("nan"), None], ">=", 4, [False, True, False, False]),
        (["3", "4", "10", "x", None], ">=", 4, [False, True, True, False, False]),
        (["3.5", "NaN", ""], "<", 4, [True, False, False]),
        (["view", "buy", None], "==", "buy", [False, True, False]),
        (["view", "buy", None], "!=", "buy", [True, False, False]),
        ([True, False, None], "==", True, [True, False, False]),
        (["True", "0", "no", None], "==", False, [False, True, False, False]),
        ([1.0, 0.0, None], "==", True, [True, False, False]),
        ([True, False], ">", 0, [True, False]),
    ],
)
def test_conditions(values, operator, wanted, expected):
    frame = pl.DataFrame({"rating": values})
    assert rows_that_count(frame, [condition(wanted, operator)]).to_list() == expected


def test_every_condition_must_hold():
    frame = pl.DataFrame({"rating": [1, 2, 3]})
    assert rows_that_count(frame, [condition(2), condition(3, "<")]).to_list() == [False, True, False]
    assert rows_that_count(frame, []).to_list() == [True] * 3


def test_text_against_numbers_is_refused():
    with pytest.raises(
        ConfigError, match=r"data\.events\.keep: the column 'rating' is Int64, and 'x' is text; compare it"
    ):
        rows_that_count(pl.DataFrame({"rating": [1]}), [condition("x")])
