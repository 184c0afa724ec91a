"""Metrics of one held-out click per user, as functions of its rank. Knows numbers, not users or items.

    rank           1     2     3    ...    k    later
    hit rate       1     1     1           1    0
    NDCG           1   .631   .5         1/log2(k + 1)   0
    MRR            1    1/2   1/3         1/k   0

A target that cannot be returned at all has a rank beyond any k. The mean over users is the metric.
"""

import numpy as np
from numpy.typing import NDArray

Ranks = NDArray[np.integer]
Float64 = NDArray[np.float64]


def hit_rate(ranks: Ranks, k: int) -> Float64:
    """[N] 1 where the target is among the first k. With one target this is also recall."""
    return (ranks <= k).astype(np.float64)


def ndcg(ranks: Ranks, k: int) -> Float64:
    """[N] what a hit is worth, discounted by the logarithm of its rank; the best possible list has 1."""
    return np.where(ranks <= k, 1.0 / np.log2(np.minimum(ranks, k) + 1.0), 0.0)


def mrr(ranks: Ranks, k: int) -> Float64:
    """[N] reciprocal ranks, 0 behind the first k."""
    return np.where(ranks <= k, 1.0 / np.minimum(ranks, k), 0.0)


def coverage(lists: NDArray[np.integer], num_candidates: int) -> float:
    """Share of the candidates that stand in anyone's list; 0 in a list is nothing."""
    return np.count_nonzero(np.unique(lists)) / num_candidates
