"""Every training click is a target exactly once, whatever the cut; the rest is arithmetic on borders."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.data.windows import Windows, all_windows, last_windows, random_windows


def whole(lengths: list[int]) -> Windows:
    """Users with `lengths` clicks each, one after the other in the flat arrays."""
    stops = np.cumsum(np.array(lengths, dtype=np.int64))
    return Windows(np.arange(1, len(lengths) + 1), stops - np.array(lengths), stops)


def targets(windows: Windows) -> list[int]:
    return [
        position
        for start, stop in zip(windows.starts, windows.stops, strict=True)
        for position in range(start + 1, stop)
    ]


@given(st.lists(st.integers(2, 40), min_size=1, max_size=12), st.integers(1, 12), st.integers(0, 99))
def test_all_windows_cover_every_target_once(lengths, max_length, seed):
    users = whole(lengths)
    cut = all_windows(users, max_length, np.random.default_rng(seed))
    assert sorted(targets(cut)) == targets(users)
    assert cut.lengths.min() >= 1
    assert cut.lengths.max() <= max_length
    owner = {user: (start, stop) for user, start, stop in zip(users.users, users.starts, users.stops, strict=True)}
    for user, start, stop in zip(cut.users, cut.starts, cut.stops, strict=True):
        assert owner[user][0] <= start < stop <= owner[user][1]


@given(st.lists(st.integers(2, 40), min_size=1, max_size=12), st.integers(1, 12))
def test_last_windows_end_where_the_history_ends(lengths, max_length):
    users = whole(lengths)
    cut = last_windows(users, max_length, np.random.default_rng(0))
    assert (cut.stops == users.stops).all()
    assert (cut.lengths == np.minimum(users.lengths, max_length)).all()


@given(st.lists(st.integers(2, 40), min_size=1, max_size=12), st.integers(1, 12), st.integers(0, 99))
def test_random_windows_lie_within_the_history_and_are_as_long_as_they_may_be(lengths, max_length, seed):
    users = whole(lengths)
    cut = random_windows(users, max_length, np.random.default_rng(seed))
    assert (cut.lengths == np.minimum(users.lengths, max_length)).all()
    assert ((users.starts <= cut.starts) & (cut.stops <= users.stops)).all()


def test_random_windows_begin_anywhere_equally_often():
    users = whole([14])
    starts = [random_windows(users, 10, np.random.default_rng(seed)).starts[0] for seed in range(400)]
    assert np.bincount(starts).min() > 60
    assert len(np.bincount(starts)) == 4


def test_the_offset_differs_from_epoch_to_epoch():
    users = whole([100] * 50)
    first, second = (all_windows(users, 10, np.random.default_rng(seed)).starts for seed in (1, 2))
    assert len(first) != len(second) or (first != second).any()


@pytest.mark.parametrize("length", [2, 10, 11, 12])
def test_a_history_up_to_the_window_is_never_cut(length):
    cut = all_windows(whole([length]), 10, np.random.default_rng(0))
    assert len(cut) == (1 if length <= 11 else 2)
