"""What item-to-item baselines share: weights of a user's recent clicks times what lies near each item.

    pasts [users, items + 1]  @  nearby [items + 1, items + 1]  =  scores [users, items + 1]

Both are sparse, and padding's row and column are empty. Knows nothing of how near two items are, or why.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from recsys.data.dataset import Dataset
from recsys.evaluation.questions import Questions

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

MAX_PAST = 10
"""How many of a user's most recent clicks are followed."""


class ItemToItem:
    """A scorer; to users without a readable click every item is worth 0."""

    def __init__(self, pasts: csr_array, nearby: csr_array, *, detail: str) -> None:
        self.pasts = pasts
        self.nearby = nearby
        self.detail = detail

    def __call__(self, rows: slice) -> Tensor:
        """Summed in float64 and told in float32, because sums that ought to be equal should be."""
        scores = (self.pasts[rows] @ self.nearby).toarray()
        return torch.from_numpy(scores.astype(np.float32))


def recent_clicks(questions: Questions, *, decay: float) -> csr_array:
    """[N, items + 1] each user's last readable clicks: decay^distance, so that the most recent one's is 1."""
    pasts = questions.pasts(MAX_PAST)
    offsets = np.concatenate([[0], np.cumsum(pasts.lengths)])
    places = np.arange(offsets[-1])
    distances = np.repeat(offsets[1:], pasts.lengths) - 1 - places
    clicked = pasts.items[places + np.repeat(pasts.starts - offsets[:-1], pasts.lengths)]
    weights = table_of(decay**distances, clicked, pasts.lengths, width=len(questions.dataset.items) + 1)
    weights.sum_duplicates()
    return weights


def table_of(values: Float64, columns: Int32, lengths: Int64, *, width: int) -> csr_array:
    """[rows, width] row after row, `lengths` values each.

    Indices have 32 bits all through, or every product of two tables would begin by widening one of them.
    """
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(columns.dtype)
    return csr_array((values, columns, offsets), shape=(len(lengths), width))


@dataclass(frozen=True)
class TrainingClicks:
    """Of each training click the user, the item, and how many training clicks of the same user follow it."""

    users: Int32
    items: Int32
    later: Int64

    @classmethod
    def of(cls, dataset: Dataset) -> "TrainingClicks":
        ends = np.asarray(dataset.split.train_end)
        lengths = ends - np.asarray(dataset.histories.offsets[:-1])
        users = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        positions = np.flatnonzero(dataset.split.in_training(dataset.histories))
        return cls(users, np.asarray(dataset.histories.items)[positions], ends[users] - 1 - positions)
