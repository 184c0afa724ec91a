"""Stretches part the training log evenly; before it is the first, and after it the last."""

import pytest
import torch

from recsys.nn.calendar import Calendar
from recsys.nn.context import SequenceContext


def stretches(times: list[int], begin: int = 1_000, end: int = 2_000) -> list[int]:
    calendar = Calendar(4, 10)
    calendar.assign(begin, end)
    return calendar.buckets(SequenceContext(torch.tensor([len(times)]), torch.tensor([times])))[0].tolist()


@pytest.mark.parametrize(
    ("time", "stretch"), [(-(2**40), 1), (1_000, 1), (1_099, 1), (1_100, 2), (1_999, 10), (2_000, 10), (2**60, 10)]
)
def test_the_borders(time, stretch):
    assert stretches([time]) == [stretch]


def test_a_log_of_one_moment_has_one_stretch():
    assert stretches([5, 5], begin=5, end=5) == [1, 1]


def test_microseconds_of_a_century_are_told_apart():
    begin, year = 10**15, 31_536_000 * 10**6
    assert stretches([begin + 9 * year, begin + 95 * year], begin, begin + 100 * year) == [1, 10]


def test_without_times_nothing_is_known():
    calendar, x_BLD = Calendar(4, 10), torch.zeros(1, 2, 4)
    added_BLD = calendar(x_BLD, SequenceContext(torch.tensor([2])))
    assert torch.equal(added_BLD, calendar.table_GD[0].expand(1, 2, 4))
