import math

import numpy as np
import pytest

from recsys.evaluation.metrics import coverage, hit_rate, mrr, ndcg
from recsys.topk import UNRANKED

RANKS = np.array([1, 2, 3, 9, 10, 11, 500, UNRANKED])
AS_DEFINED = {
    hit_rate: lambda rank: 1.0,
    ndcg: lambda rank: 1 / math.log2(rank + 1),
    mrr: lambda rank: 1 / rank,
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
