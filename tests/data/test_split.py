"""Where training ends: the last click, a moment, or whole users. Nothing later than the cut trains."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recsys.data.histories import Histories
from recsys.data.split import Cuts, Split, split_by_time, split_by_users, split_leave_last_out

users_of_times = st.lists(st.lists(st.integers(0, 30), max_size=8), min_size=1, max_size=8)
shares = st.floats(0.05, 0.9)


def histories_of(times):
    offsets = np.cumsum([0, 0, *map(len, times)])
    flat = np.array([moment for user in times for moment in sorted(user)], dtype=np.int64)
    return Histories(np.ones(len(flat), np.int32), flat, offsets)


def valid(split, histories):
    starts, ends = histories.offsets[:-1], histories.offsets[1:]
    assert (starts <= split.train_end).all()
    assert (split.train_end <= split.validation_end).all()
    assert (split.validation_end <= ends).all()
    expected = [at < split.train_end[user] for user in range(len(starts)) for at in range(starts[user], ends[user])]
    assert split.in_training(histories).tolist() == expected
    for held_out, begins, stops in (
        (split.validation(histories), split.train_end, split.validation_end),
        (split.test(histories), split.validation_end, ends),
    ):
        those = [u for u in range(len(starts)) if stops[u] > begins[u] and stops[u] - starts[u] >= 2]
        assert held_out.users.tolist() == those
        assert held_out.positions.tolist() == [stops[user] - 1 for user in those]


@given(users_of_times)
def test_leave_last_out(times):
    histories = histories_of(times)
    split = split_leave_last_out(histories)
    valid(split, histories)
    lengths = histories.lengths
    kept = [length - 2 if length >= 3 else length for length in lengths]
    assert (split.train_end - histories.offsets[:-1]).tolist() == kept
    assert len(split.test(histories)) == len(split.validation(histories)) == (lengths >= 3).sum()


@given(users_of_times, shares, shares)
def test_by_time_parts_no_moment_and_nothing_trains_after_the_cut(times, test_share, validation_share):
    histories = histories_of(times)
    assume(histories.num_events)
    split = split_by_time(histories, Cuts.of(histories.times, test_share=test_share, validation_share=validation_share))
    valid(split, histories)
    trains = split.in_training(histories)
    tests = np.concatenate([np.arange(*span) for span in zip(split.validation_end, histories.offsets[1:], strict=True)])
    tests = np.isin(np.arange(len(trains)), tests)
    train, validation, test = (set(histories.times[part].tolist()) for part in (trains, ~trains & ~tests, tests))
    assert max(train, default=-1) < min(validation | test, default=99)
    assert max(train | validation, default=-1) < min(test, default=99)
    assert test
    assert tests.sum() >= round(test_share * len(trains)) or test_share * len(trains) < 1


def test_by_time_shares_are_met_where_times_are_unique():
    histories = histories_of([list(range(user * 100, user * 100 + 100)) for user in range(10)])
    split = split_by_time(histories, Cuts.of(histories.times, test_share=0.1, validation_share=0.2))
    assert split.in_training(histories).sum() == 720
    assert int((histories.offsets[1:] - split.validation_end).sum()) == 100


def test_ties_at_the_cut_lie_behind_it():
    histories = histories_of([[1, 2, 5, 5], [3, 5, 5, 9]])
    split = split_by_time(histories, Cuts.of(histories.times, test_share=0.25, validation_share=0.3))
    assert histories.times[split.in_training(histories)].tolist() == [1, 2]
    assert (split.validation_end - histories.offsets[:-1]).tolist() == [0, 2, 1]


@given(users_of_times, st.data(), shares, st.integers(0, 9))
def test_whole_users(times, data, share, seed):
    histories = histories_of(times)
    flags = data.draw(st.lists(st.booleans(), min_size=len(times), max_size=len(times)))
    testing = np.array([False, *flags])
    split = split_by_users(histories, testing=testing, validation_share=share, seed=seed)
    valid(split, histories)
    whole = np.isin(split.train_end, histories.offsets) & np.isin(split.validation_end, histories.offsets)
    assert whole.all()
    has_clicks = histories.lengths >= 2
    assert set(split.test(histories).users) == set(np.flatnonzero(testing & has_clicks))
    assert not testing[split.validation(histories).users].any()
    again = split_by_users(histories, testing=testing, validation_share=share, seed=seed)
    assert np.array_equal(split.train_end, again.train_end)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_the_share_of_users_who_validate(share):
    histories = histories_of([[1, 2, 3]] * 100)
    testing = np.arange(101) > 80
    split = split_by_users(histories, testing=testing, validation_share=share, seed=0)
    assert len(split.validation(histories)) == share * 80
    other = split_by_users(histories, testing=testing, validation_share=share, seed=1)
    assert not np.array_equal(split.train_end, other.train_end)


def test_a_split_is_read_as_it_was_written(tmp_path):
    histories = histories_of([[1, 2, 3], [4]])
    split = split_leave_last_out(histories)
    split.save(tmp_path)
    histories.save(tmp_path)
    assert np.array_equal(Split.open(tmp_path).train_end, split.train_end)
    assert np.array_equal(Histories.open(tmp_path).times, histories.times)
    assert (histories.num_users, histories.num_events) == (2, 4)
