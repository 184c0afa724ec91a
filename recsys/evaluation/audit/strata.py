"""How well something tells the items of an outcome from others that were clicked as often before.

AUC: of all pairs of an item with the outcome and one without it in the same stratum, the share in which the first
has the higher score; .5 is chance. Pairs across strata do not count: popularity alone tells nothing here.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recsys.evaluation.audit.clicks import Bools, Clicks, Int64

Float64 = NDArray[np.float64]
EXACT = 16
"""Up to as many clicks each count is a stratum of its own, then four to a doubling."""
AGES = 8
"""By time, items are parted by their last click as well: what has just arrived is clicked more."""


@dataclass(frozen=True)
class Outcome:
    """[items + 1] which items have it, and among which they could be told: `strata` is -1 for items left out."""

    name: str
    has: Bools
    strata: Int64

    @classmethod
    def of(cls, name: str, clicks: Clicks, *, before: Bools, has: Bools, by_age: bool) -> "Outcome":
        """Of the items with clicks `before`."""
        num_rows = len(has)
        counts = np.bincount(clicks.items[before], minlength=num_rows)
        level = np.where(counts <= EXACT, counts, np.floor(4 * np.log2(np.maximum(counts, 1))) + 1).astype(np.int64)
        strata = level * AGES + (_ages(clicks, before, counts) if by_age else 0)
        return cls(name, has, np.where(counts > 0, strata, -1))

    @cached_property
    def rows(self) -> Int64:
        return np.flatnonzero(self.strata >= 0)

    @cached_property
    def _sizes(self) -> tuple[Int64, Int64]:
        """[strata] items with the outcome, and without."""
        every = np.bincount(self.strata[self.rows], minlength=1)
        having = np.bincount(self.strata[self.rows], weights=self.has[self.rows], minlength=1).astype(np.int64)
        return having, every - having

    @property
    def num_comparable(self) -> int:
        """Items with the outcome that have others to be told from, or such others, whichever are fewer."""
        having, others = self._sizes
        is_mixed = (having > 0) & (others > 0)
        return int(min(having[is_mixed].sum(), others[is_mixed].sum()))

    @cached_property
    def surprise(self) -> Float64:
        """[items + 1] 1 or 0, less the share of the item's stratum; 0 for items left out."""
        having, others = self._sizes
        share = having / np.maximum(having + others, 1)
        return np.where(self.strata >= 0, self.has - share[self.strata], 0.0)

    @cached_property
    def membership(self) -> Float64:
        """[items + 1] by how much twice the AUC of a set of items grows with each item in it."""
        having, others = self._sizes
        signed = np.where(self.has, others[self.strata], -having[self.strata])
        return np.where(self.strata >= 0, signed / max(1, int((having * others).sum())), 0.0)

    def auc(self, scores: Float64) -> float:
        """Of scores [items + 1]; items whose score is NaN are left out."""
        rows = self.rows[~np.isnan(scores[self.rows])]
        strata, has = self.strata[rows], self.has[rows]
        order = np.lexsort((scores[rows], strata))
        strata, has, ordered = strata[order], has[order], scores[rows][order]
        is_new = np.ones(len(rows), dtype=bool)
        is_new[1:] = (strata[1:] != strata[:-1]) | (ordered[1:] != ordered[:-1])
        group = np.cumsum(is_new) - 1
        having = np.bincount(group, weights=has)
        others = np.bincount(group, weights=~has)
        of_group = strata[is_new]
        below = _sums_before(others, of_group)
        pairs = np.bincount(of_group, weights=having) * np.bincount(of_group, weights=others)
        return float((having * (below + others / 2)).sum() / pairs.sum()) if pairs.sum() else 0.5


def _sums_before(values: NDArray[np.number], strata: Int64) -> Float64:
    """Running sums within each stratum, the value itself left out; strata are sorted."""
    before = np.cumsum(values) - values
    starts = np.searchsorted(strata, strata, side="left")
    return before - before[starts]


def _ages(clicks: Clicks, before: Bools, counts: Int64) -> Int64:
    """[items + 1] in which eighth of the items, by their last click, each is."""
    last = np.full(len(counts), np.iinfo(np.int64).min)
    np.maximum.at(last, clicks.items[before], clicks.times[before])
    clicked = counts > 0
    bounds = np.quantile(last[clicked], np.arange(1, AGES) / AGES)
    return np.searchsorted(bounds, last)
