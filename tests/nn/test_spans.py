"""Spans grow by powers of two, and no two that differ by less than the unit differ; gaps look back."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys.nn.context import SequenceContext
from recsys.nn.spans import NUM_BUCKETS, UNKNOWN, bucketed, since_last_click, until_asked


def buckets(times: list[int], ticks: int = 1) -> list[int]:
    times_1L = torch.tensor([times])
    return bucketed(since_last_click(SequenceContext(torch.tensor([len(times)]), times_1L)), ticks=ticks)[0].tolist()


@pytest.mark.parametrize(("gap", "bucket"), [(0, 1), (1, 2), (2, 3), (3, 3), (4, 4), (7, 4), (8, 5), (2**30, 32)])
def test_the_borders_are_powers_of_two(gap, bucket):
    assert buckets([5, 5 + gap]) == [UNKNOWN, bucket]


def test_the_longest_gaps_share_the_last_bucket():
    assert buckets([0, 2**62]) == [UNKNOWN, NUM_BUCKETS - 1]


def test_a_window_of_one_click_has_no_gap():
    assert buckets([7]) == [UNKNOWN]


def test_time_that_falls_counts_as_no_gap_and_never_reads_the_table_from_its_end():
    assert buckets([9, 0, 10**6]) == [UNKNOWN, 1, buckets([0, 10**6])[1]]


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=9), st.integers(1, 10**7), st.integers(0, 10**12))
def test_neither_the_epoch_nor_less_than_a_unit_matters(gaps, ticks, shift):
    times = torch.tensor(gaps).cumsum(0)
    expected = buckets(times.tolist(), ticks)
    assert buckets((times + shift).tolist(), ticks) == expected
    floored = [0] + [gap // ticks * ticks for gap in gaps[1:]]
    assert buckets(torch.tensor(floored).cumsum(0).tolist(), ticks) == expected


def test_the_question_lies_behind_each_click_and_is_unknown_where_nobody_tells():
    lengths, times = torch.tensor([3]), torch.tensor([[10, 20, 50]])
    context = SequenceContext(lengths, times, torch.tensor([[20, 50, 50]]))
    assert until_asked(context).tolist() == [[10, 30, 0]]
    earlier = SequenceContext(lengths, times, torch.tensor([[20, 50, 7]]))
    assert until_asked(earlier).tolist() == [[10, 30, 0]]
    assert until_asked(SequenceContext(lengths, times)) is None
    assert until_asked(SequenceContext(lengths)) is None


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=9))
def test_a_later_click_moves_no_earlier_bucket(gaps):
    times = torch.tensor(gaps).cumsum(0).tolist()
    assert buckets(times[:-1]) == buckets(times)[:-1]
