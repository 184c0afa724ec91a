"""What a model may read, and what is popular, against plain loops over lists."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsys.rules import Clicks, most_popular

NUM_ITEMS = 6
HISTORIES = st.lists(st.lists(st.integers(0, NUM_ITEMS)), max_size=6)
MASK = st.lists(st.booleans(), min_size=NUM_ITEMS + 1, max_size=NUM_ITEMS + 1).map(np.array)


def clicks_of(histories: list[list[int]]) -> Clicks:
    return Clicks.of([np.array(history, dtype=np.int32) for history in histories])


def as_lists(clicks: Clicks) -> list[list[int]]:
    bounds = zip(clicks.offsets[:-1], clicks.offsets[1:], strict=True)
    return [clicks.items[start:stop].tolist() for start, stop in bounds]


@given(HISTORIES)
def test_clicks_are_the_histories(histories: list[list[int]]) -> None:
    clicks = clicks_of(histories)
    assert as_lists(clicks) == histories
    assert len(clicks) == len(histories)
    assert clicks.counts.tolist() == [len(history) for history in histories]
    assert clicks.items.dtype == np.int32


@given(HISTORIES, MASK)
def test_only_keeps_what_is_allowed_in_its_order(histories: list[list[int]], allowed: np.ndarray) -> None:
    kept = as_lists(clicks_of(histories).only(allowed))
    assert kept == [[item for item in history if allowed[item]] for history in histories]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted), max_size=5))
def test_stretches_of_a_flat_array_may_overlap_skip_and_be_empty(bounds: list[list[int]]) -> None:
    items = np.arange(100, 110, dtype=np.int32)
    begins, ends = np.array(bounds, dtype=np.int64).reshape(-1, 2).T
    clicks = Clicks.of_stretches(items, items.astype(np.int64) * 2, begins=begins, ends=ends)
    assert as_lists(clicks) == [items[b:e].tolist() for b, e in bounds]
    assert clicks.times is not None
    assert (clicks.times == 2 * clicks.items).all()


def test_the_most_popular_are_candidates_and_ties_go_to_the_smaller_index() -> None:
    popularity = np.array([99, 1, 5, 5, 0, 99, 7])
    candidates = np.array([False, True, True, True, True, False, True])
    assert most_popular(popularity, candidates).tolist() == [6, 2, 3, 1, 4]
