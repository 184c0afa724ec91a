"""Metrics of one held-out click per user, as functions of its rank, and of what lists show. Knows numbers only.

    rank           1     2     3    ...    k    later
    hit rate       1     1     1           1    0
    NDCG           1   .631   .5         1/log2(k + 1)   0
    MRR, MAP       1    1/2   1/3         1/k   0

A target that cannot be returned at all has a rank beyond any k. The mean over users is the metric.
Lists are [N, k] item indices, 0 where there is nothing to list.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ranks = NDArray[np.integer]
Lists = NDArray[np.integer]
Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
BLOCK = 1 << 20
"""Numbers in memory at a time, about, where pairs of items are compared."""


def hit_rate(ranks: Ranks, k: int) -> Float64:
    """[N] 1 where the target is among the first k. With one target this is also recall."""
    return (ranks <= k).astype(np.float64)


def ndcg(ranks: Ranks, k: int) -> Float64:
    """[N] what a hit is worth, discounted by the logarithm of its rank; the best possible list has 1."""
    return np.where(ranks <= k, 1.0 / np.log2(np.minimum(ranks, k) + 1.0), 0.0)


def mrr(ranks: Ranks, k: int) -> Float64:
    """[N] reciprocal ranks, 0 behind the first k."""
    return np.where(ranks <= k, 1.0 / np.minimum(ranks, k), 0.0)


def average_precision(ranks: Ranks, k: int) -> Float64:
    """[N] the mean precision at the targets' places. There is one target, and one hit in `rank` places: this is MRR."""
    return mrr(ranks, k)


METRICS: dict[str, Callable[[Ranks, int], Float64]] = {
    "HR": hit_rate,
    "NDCG": ndcg,
    "MRR": mrr,
    "MAP": average_precision,
}
"""What each is called: "HR@10" is the mean of METRICS["HR"](ranks, 10)."""


def coverage(lists: Lists, num_candidates: int) -> float:
    """Share of the candidates that stand in anyone's list."""
    return np.count_nonzero(np.unique(lists)) / num_candidates


def gini(lists: Lists, candidates: NDArray[np.bool_]) -> float:
    """Of how often each candidate is shown, never included: 0 all alike, 1 - 1 / candidates for one item only.

    `candidates` is [items + 1]. Where nothing is shown, all are shown alike.
    """
    shown = np.sort(np.bincount(_shown(lists), minlength=len(candidates))[candidates])
    places = np.arange(1, len(shown) + 1)
    return float((2 * places - len(shown) - 1) @ shown / max(len(shown) * shown.sum(), 1))


def mean_popularity(lists: Lists, counts: Int64) -> float:
    """Mean number of training clicks on a listed item; `counts` is [items + 1]."""
    return _mean(counts[_shown(lists)].astype(np.float64))


def novelty(lists: Lists, counts: Int64) -> float:
    """Mean self-information of a listed item, -log2 of its share of training clicks, in bits.

    Every item of the catalogue is given one click more than it has, so that one never clicked is finite too.
    Zhou et al., PNAS 2010; Vargas and Castells, RecSys 2011.
    """
    shares = (counts + 1) / (counts[1:].sum() + len(counts) - 1)
    return _mean(-np.log2(shares[_shown(lists)]))


def diversity(lists: Lists, values: NDArray[np.integer], offsets: Int64) -> float | None:
    """Mean over lists of 1 - the mean Jaccard overlap of two items' sets of feature values. Ziegler et al., WWW 2005.

    Item v's values are values[offsets[v] : offsets[v + 1]]. Of two items without any, nothing is known, and their pair
    is left out; where one has some, they overlap in nothing. Lists without a pair are left out: None if all are.
    """
    sets = _ValueSets.of(values, offsets)
    total, num_lists = 0.0, 0
    for block in _blocks(sets.work(lists)):
        rows, first, second = sets.known_pairs(lists[block])
        num_pairs = np.bincount(rows)
        sums = np.bincount(rows, weights=1.0 - sets.jaccard(first, second))
        has_pairs = num_pairs > 0
        total += float((sums[has_pairs] / num_pairs[has_pairs]).sum())
        num_lists += int(has_pairs.sum())
    return total / num_lists if num_lists else None


@dataclass(frozen=True)
class _ValueSets:
    """Every (item, value) as one number, item * step + value, sorted; `sizes` is [items + 1]."""

    keys: Int64
    sizes: Int64
    step: int

    @classmethod
    def of(cls, values: NDArray[np.integer], offsets: Int64) -> "_ValueSets":
        step = int(values.max(initial=0)) + 1
        items = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        keys = np.unique(items * step + values)
        return cls(keys, np.bincount(keys // step, minlength=len(offsets) - 1), step)

    def work(self, lists: Lists) -> Int64:
        """[N] how many numbers it takes to compare every two items of a list."""
        return lists.shape[1] * (lists.shape[1] + self.sizes[lists].sum(axis=1))

    def known_pairs(self, lists: Lists) -> tuple[Int64, Int64, Int64]:
        """Every two items of a list of which something is known: the list's row, the one item, the other."""
        left, right = np.triu_indices(lists.shape[1], k=1)
        first, second = lists[:, left].astype(np.int64), lists[:, right].astype(np.int64)
        is_known = (first > 0) & (second > 0) & (self.sizes[first] + self.sizes[second] > 0)
        return np.nonzero(is_known)[0], first[is_known], second[is_known]

    def jaccard(self, first: Int64, second: Int64) -> Float64:
        """Pair by pair: each value of the one item is looked up among the other's."""
        sizes = self.sizes[first]
        pairs = np.repeat(np.arange(len(first)), sizes)
        within = np.arange(len(pairs)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        begins = np.cumsum(self.sizes) - self.sizes
        own = self.keys[begins[first][pairs] + within]
        sought = own + (second - first)[pairs] * self.step
        places = np.minimum(np.searchsorted(self.keys, sought), len(self.keys) - 1)
        shared = np.bincount(pairs[self.keys[places] == sought], minlength=len(first))
        return shared / (sizes + self.sizes[second] - shared)


def _blocks(work: Int64) -> Iterator[slice]:
    """Rows in turn, as many as make one block of work."""
    ends = np.flatnonzero(np.diff(np.cumsum(work) // BLOCK)) + 1
    for start, end in zip([0, *ends.tolist()], [*ends.tolist(), len(work)], strict=True):
        yield slice(start, end)


def _shown(lists: Lists) -> Lists:
    return lists[lists > 0]


def _mean(numbers: Float64) -> float:
    return float(numbers.mean()) if len(numbers) else 0.0
