"""Nearest items by cosine, from the index of a bundle. Knows item indices, not ids."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from recsys.bundle.opened import Bundle
from recsys.index.flat import MARGIN
from recsys.index.item_index import ItemIndex
from recsys.index.selection import Selection
from recsys.index.vectors import Float32, Int64, Rows, unit_rows
from recsys.topk import nearest_rows

# Items whose neighbours are looked up at a time.
AT_ONCE = 4096


def search_exactly(index: ItemIndex, queries: Float32, k: int) -> Rows:
    """Every row compared with each query: one query by FAISS, many at the speed of a matrix product, answered alike."""
    if len(queries) == 1 or index.is_changed:
        return index.search_with(None, queries, k)
    num = min(k + MARGIN, len(index))
    best = nearest_rows(torch.from_numpy(queries), torch.from_numpy(index.vectors), k=num)
    return index.settled(queries, best.scores_UK.numpy(), best.indices_UK.numpy(), k)


@dataclass(frozen=True)
class Nearest:
    """[queries, k] items by falling cosine, ties by index; 0 and -inf where a list is short."""

    items: Int64
    scores: Float32


class Lookups:
    """Through the bundle's index, or exactly."""

    def __init__(self, bundle: Bundle) -> None:
        self._index = bundle.index
        self._vectors = bundle.item_vectors
        self._items = np.flatnonzero(bundle.candidates)
        self._rows = np.full(len(bundle.candidates), -1)
        self._rows[self._items] = np.arange(len(self._items))

    def selection(self, allow: Int64 | None, deny: Int64 | None) -> Selection | None:
        """Items that may be found, or may not; those that are no candidates never are."""
        if allow is None:
            return None if deny is None else Selection.without(self._rows_of(deny))
        return Selection.only(self._rows_of(allow if deny is None else np.setdiff1d(allow, deny)))

    def near(self, item: int, k: int) -> tuple[Int64, list[float]]:
        """Items nearest to one, itself left out, and their cosines; what `near_each` answers, sooner."""
        row = int(self._rows[item])
        if row < 0:
            found = self.near_each(np.array([item]), k)
            return found.items[0][found.items[0] > 0], found.scores[0].tolist()
        best = self._index.near(row, k)
        return self._items[[own for _, own in best]], [score for score, _ in best]

    def near_each(self, items: Int64, k: int, *, selection: Selection | None = None, exact: bool = False) -> Nearest:
        """The k nearest of each item, itself left out."""
        found = self._search(self._units(items), k + 1, selection, exact)
        keep = np.argsort(found.rows == self._rows[items][:, None], axis=1, kind="stable")[:, :k]
        return self._nearest(found.columns(keep))

    def near_all(self, items: Int64, k: int, *, selection: Selection | None = None, exact: bool = False) -> Nearest:
        """[1, k] the nearest of the mean of the items' unit vectors; the items themselves are left out."""
        centre = unit_rows(self._units(items).mean(axis=0, keepdims=True))
        own = np.unique(self._rows_of(items))
        found = self._search(centre, k + len(own), selection, exact)
        keep = np.flatnonzero(~np.isin(found.rows[0], own) | ~found.found[0])[:k]
        return self._nearest(found.columns(keep[None]))

    def parts(self, items: Int64, k: int, *, exact: bool = False) -> Iterator[tuple[Int64, Nearest]]:
        """Items, some at a time, and the nearest of each."""
        for first in range(0, len(items), AT_ONCE):
            own = items[first : first + AT_ONCE]
            yield own, self.near_each(own, k, exact=exact)

    def _search(self, queries: Float32, k: int, selection: Selection | None, exact: bool) -> Rows:
        effort = None if exact else self._index.statement.effort
        if effort is None and selection is None:
            return search_exactly(self._index, queries, k)
        return self._index.search_with(effort, queries, k, selection=selection)

    def _units(self, items: Int64) -> Float32:
        """Of candidates the very rows of the index, and with them its scores."""
        rows = self._rows[items]
        return self._index.vectors[rows] if (rows >= 0).all() else unit_rows(self._vectors[items])

    def _rows_of(self, items: Int64) -> Int64:
        rows: NDArray[np.int64] = self._rows[items]
        return rows[rows >= 0]

    def _nearest(self, found: Rows) -> Nearest:
        return Nearest(np.where(found.found, self._items[found.rows], 0), found.scores)
