import math

import numpy as np
import pytest

from recsys.evaluation.metrics import (
    METRICS,
    average_precision,
    coverage,
    diversity,
    gini,
    hit_rate,
    mean_popularity,
    mrr,
    ndcg,
    novelty,
)
from recsys.topk import UNRANKED

RANKS = np.array([1, 2, 3, 9, 10, 11, 500, UNRANKED])
AS_DEFINED = {
    hit_rate: lambda rank: 1.0,
    ndcg: lambda rank: 1 / math.log2(rank + 1),
    mrr: lambda rank: 1 / rank,
    average_precision: lambda rank: 1 / rank,
}


@pytest.mark.parametrize("metric", AS_DEFINED, ids=lambda metric: metric.__name__)
@pytest.mark.parametrize("k", [1, 3, 10, 1000])
def test_each_user_scores_as_defined(metric, k):
    expected = [AS_DEFINED[metric](int(rank)) if rank <= k else 0.0 for rank in RANKS]
    found = metric(RANKS, k)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-15)


@pytest.mark.parametrize("metric", AS_DEFINED, ids=lambda metric: metric.__name__)
def test_rank_one_is_worth_one_and_nothing_is_worth_more_than_an_earlier_rank(metric):
    values = metric(np.arange(1, 30), 10)
    assert values[0] == 1.0
    assert (np.diff(values) <= 0).all()


def test_coverage_counts_each_recommended_item_once_and_empty_places_never():
    assert coverage(np.array([[1, 2, 0], [2, 3, 0]]), 6) == 0.5
    assert coverage(np.array([[0, 0]]), 6) == 0.0


def test_every_metric_of_a_rank_has_a_name():
    assert set(METRICS.values()) == set(AS_DEFINED)


class Shown:
    """Random lists, some of them short or empty, over items of which some were never clicked and some have no value."""

    def __init__(self, seed):
        random = np.random.default_rng(seed)
        self.num_items = int(random.integers(2, 40))
        k = int(random.integers(1, min(8, self.num_items) + 1))
        self.lists = np.array([random.permutation(self.num_items)[:k] + 1 for _ in range(20)])
        self.lists[np.arange(k) >= random.integers(0, k + 1, 20)[:, None]] = 0
        self.candidates = np.arange(self.num_items + 1) > 0
        self.counts = random.integers(0, 9, self.num_items + 1) * self.candidates
        sizes = random.integers(0, 4, self.num_items + 1) * self.candidates
        self.offsets = np.concatenate([[0], np.cumsum(sizes)])
        self.values = random.integers(1, 7, int(sizes.sum())).astype(np.int32)

    @property
    def items(self):
        return [item for own in self.lists.tolist() for item in own if item]

    def features(self, item):
        return set(self.values[self.offsets[item] : self.offsets[item + 1]].tolist())


@pytest.fixture(params=range(30))
def shown(request):
    return Shown(request.param)


def test_gini_is_the_mean_difference_of_any_two_items_exposure(shown):
    times = [shown.items.count(item) for item in range(1, shown.num_items + 1)]
    apart = sum(abs(one - other) for one in times for other in times)
    expected = apart / (2 * len(times) * sum(times)) if sum(times) else 0.0
    assert gini(shown.lists, shown.candidates) == pytest.approx(expected, abs=1e-12)


def test_gini_is_nothing_if_all_are_shown_alike_and_nearly_one_if_one_item_only():
    candidates = np.arange(101) > 0
    assert gini(np.arange(1, 101).reshape(20, 5), candidates) == 0.0
    assert gini(np.full((20, 1), 7), candidates) == pytest.approx(0.99)
    assert gini(np.zeros((20, 5), dtype=np.int32), candidates) == 0.0


def test_items_that_are_no_candidates_have_no_part_in_gini():
    lists = np.array([[1, 2], [1, 3]])
    few, many = np.arange(5) > 0, np.arange(50) > 0
    many[5:] = False
    assert gini(lists, few) == gini(lists, many)


def test_popularity_and_novelty_are_means_over_listed_items(shown):
    smoothed = shown.counts + 1
    bits = [-math.log2(smoothed[item] / smoothed[1:].sum()) for item in shown.items]
    assert novelty(shown.lists, shown.counts) == pytest.approx(np.mean(bits) if bits else 0.0)
    clicks = shown.counts[shown.items]
    assert mean_popularity(shown.lists, shown.counts) == pytest.approx(clicks.mean() if len(clicks) else 0.0)


def test_novelty_of_alike_items_is_the_logarithm_of_their_number():
    assert novelty(np.array([[1, 8]]), np.array([0] + [3] * 8)) == pytest.approx(3.0)
    assert novelty(np.array([[1, 8]]), np.zeros(9, dtype=np.int64)) == pytest.approx(3.0)


def diversity_by_hand(shown):
    means = []
    for own in shown.lists.tolist():
        sets = [shown.features(item) for item in own if item]
        pairs = [(one, other) for place, one in enumerate(sets) for other in sets[:place] if one | other]
        if pairs:
            means.append(np.mean([1 - len(one & other) / len(one | other) for one, other in pairs]))
    return np.mean(means) if means else None


@pytest.mark.parametrize("block", [1, 100, 1 << 20])
def test_diversity_is_what_pairs_do_not_share_however_the_work_is_cut(shown, block, monkeypatch):
    monkeypatch.setattr("recsys.evaluation.metrics.BLOCK", block)
    found = diversity(shown.lists, shown.values, shown.offsets)
    expected = diversity_by_hand(shown)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-12))


def test_diversity_of_things_alike_apart_and_unknown():
    offsets = np.array([0, 0, 2, 4, 5, 5, 5])
    values = np.array([1, 2, 2, 1, 3])
    assert diversity(np.array([[1, 2]]), values, offsets) == 0.0
    assert diversity(np.array([[1, 3]]), values, offsets) == 1.0
    assert diversity(np.array([[3, 4]]), values, offsets) == 1.0, "one of them has none: nothing is shared"
    assert diversity(np.array([[4, 5], [1, 2]]), values, offsets) == 0.0, "a pair of which nothing is known"
    assert diversity(np.array([[4, 5], [1, 0], [0, 0]]), values, offsets) is None
    assert diversity(np.zeros((0, 10), dtype=np.int32), values, offsets) is None
