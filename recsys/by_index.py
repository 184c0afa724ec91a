"""Users' best items by way of an index: what `topk` answers, as far as the index finds it.

Shape letters: U users, D width, V items (row 0, padding, included), F found, K listed.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys.index.item_index import ItemIndex
from recsys.index.selection import Selection
from recsys.topk import NOTHING, Exclusions, TopK

Int64 = NDArray[np.int64]


class ByIndex:
    """An index whose rows are the candidates in the order of their indices."""

    def __init__(self, index: ItemIndex, candidates_V: NDArray[np.bool_]) -> None:
        self.index = index
        self._items = np.flatnonzero(candidates_V)
        self._num_items = len(candidates_V)

    def topk(
        self,
        users_UD: Tensor,
        *,
        k: int,
        candidates_V: NDArray[np.bool_] | None = None,
        exclusions: Exclusions | None = None,
    ) -> TopK:
        """As many more are looked up as the user with the most exclusions has, so that no list is short for them."""
        longest = 0 if exclusions is None or not len(users_UD) else int(exclusions.offsets_U.diff().max())
        selection = None if candidates_V is None else Selection.only(np.flatnonzero(candidates_V[self._items]))
        found = self.index.search(users_UD.cpu().float().numpy(), k + longest, selection=selection)
        items_UF = np.where(found.found, self._items[found.rows], 0)
        if exclusions is not None:
            items_UF[self._excluded(items_UF, exclusions)] = 0
        order_UK = np.argsort(items_UF == 0, axis=1, kind="stable")[:, :k]
        items_UK = torch.from_numpy(np.take_along_axis(items_UF, order_UK, axis=1))
        scores_UK = torch.from_numpy(np.take_along_axis(found.scores, order_UK, axis=1))
        missing = (0, k - items_UK.shape[1])
        return TopK(
            torch.nn.functional.pad(items_UK, missing),
            torch.nn.functional.pad(scores_UK.masked_fill(items_UK == 0, NOTHING), missing, value=NOTHING),
        )

    def _excluded(self, items_UF: Int64, exclusions: Exclusions) -> NDArray[np.bool_]:
        users_E = np.repeat(np.arange(len(items_UF)), exclusions.offsets_U.diff().numpy())
        pairs_E = users_E * self._num_items + exclusions.items_E.numpy()
        pairs_UF = np.arange(len(items_UF))[:, None] * self._num_items + items_UF
        excluded: NDArray[np.bool_] = np.isin(pairs_UF, pairs_E)
        return excluded
