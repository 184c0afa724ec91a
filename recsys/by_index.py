"""Users' best items by way of an index: what `topk` answers, as far as the index finds it.

Shape letters: U users, D width, V items (row 0, padding, included), F found, K listed.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys.index.item_index import ItemIndex
from recsys.index.selection import Selection
from recsys.index.vectors import Float32, Int64, Rows
from recsys.topk import NOTHING, Exclusions, TopK

# Rows that are found for all users of a step: 1 M.
FETCHED_AT_ONCE = 1 << 20


class ByIndex:
    """An index whose rows are the candidates in the order of their indices."""

    def __init__(self, index: ItemIndex, candidates_V: NDArray[np.bool_]) -> None:
        self.index = index
        self._candidates_V = candidates_V
        self._items = np.flatnonzero(candidates_V)
        self._num_items = len(candidates_V)

    def is_of(self, candidates_V: NDArray[np.bool_]) -> bool:
        """Whether these are its candidates."""
        return np.array_equal(self._candidates_V, candidates_V)

    def topk(
        self,
        users_UD: Tensor,
        *,
        k: int,
        candidates_V: NDArray[np.bool_] | None = None,
        exclusions: Exclusions | None = None,
    ) -> TopK:
        """As many more are looked up as a user has exclusions, rounded up, so that no list is short for them."""
        selection = None if candidates_V is None else self._selection(candidates_V)
        users, num_users = users_UD.cpu().float().numpy(), len(users_UD)
        items_UK, scores_UK = np.zeros((num_users, k), np.int64), np.full((num_users, k), NOTHING, np.float32)
        pairs_E = self._pairs(exclusions)
        fetched_U = k + _rounded(np.bincount(pairs_E // self._num_items, minlength=num_users))
        for fetched in np.unique(fetched_U):
            for own in _chunks(np.flatnonzero(fetched_U == fetched), int(fetched)):
                found = self.index.search(users[own], int(fetched), selection=selection)
                items, scores = self._listed(found, own, pairs_E, k)
                items_UK[own, : items.shape[1]], scores_UK[own, : items.shape[1]] = items, scores
        return TopK(torch.from_numpy(items_UK), torch.from_numpy(scores_UK))

    def _selection(self, candidates_V: NDArray[np.bool_]) -> Selection:
        """Named by the fewer of those that may and those that may not be found."""
        allowed = candidates_V[self._items]
        is_few = 2 * np.count_nonzero(allowed) < len(allowed)
        return Selection.only(np.flatnonzero(allowed)) if is_few else Selection.without(np.flatnonzero(~allowed))

    def _pairs(self, exclusions: Exclusions | None) -> Int64:
        """[E] different pairs of a user and an item, as one number each, in order."""
        if exclusions is None:
            return np.zeros(0, np.int64)
        users_E = np.repeat(np.arange(len(exclusions.offsets_U) - 1), exclusions.offsets_U.diff().numpy())
        pairs_E = np.sort(users_E * self._num_items + exclusions.items_E.numpy())
        is_new_E = np.ones(len(pairs_E), np.bool_)
        is_new_E[1:] = pairs_E[1:] != pairs_E[:-1]
        return pairs_E[is_new_E]

    def _listed(self, found: Rows, own: Int64, pairs_E: Int64, k: int) -> tuple[Int64, Float32]:
        """The first k that are not excluded; 0 and -inf behind them."""
        items = np.where(found.found, self._items[found.rows], 0)
        pairs = own[:, None] * self._num_items + items
        places = np.minimum(np.searchsorted(pairs_E, pairs), max(0, len(pairs_E) - 1))
        if len(pairs_E):
            items[pairs_E[places] == pairs] = 0
        order = np.argsort(items == 0, axis=1, kind="stable")[:, :k]
        items = np.take_along_axis(items, order, axis=1)
        scores = np.where(items > 0, np.take_along_axis(found.scores, order, axis=1), np.float32(NOTHING))
        return items, scores


def _rounded(counts_U: Int64) -> Int64:
    """Up to a power of two, so that few different numbers come up."""
    powers = np.ceil(np.log2(np.maximum(counts_U, 1)))
    return np.where(counts_U > 0, 2.0**powers, 0).astype(np.int64)


def _chunks(users: Int64, fetched: int) -> Iterator[Int64]:
    step = max(1, FETCHED_AT_ONCE // fetched)
    return (users[first : first + step] for first in range(0, len(users), step))
