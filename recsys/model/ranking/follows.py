"""How often, in training, the target came soon after what the user clicked: a cross of history and target.

Shape letters: H histories, L clicks, C targets of a history, P pairs of items.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recsys.data.dataset import Dataset
from recsys.data.example_batches import Moments, RankingBatch
from recsys.nn.context import SequenceContext

MAX_GAP, DECAY = 5, 0.7
"""Clicks at most so many steps apart are a pair, each step beyond the first counting so much less."""
LEAST_SHARE = 1e-3


@dataclass(frozen=True)
class Pairs:
    """[P] pairs of items in the order of their keys, and how often the second followed the first."""

    keys: NDArray[np.int64]
    counts: NDArray[np.float32]

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """Of training clicks."""
        in_training = dataset.split.in_training(dataset.histories)
        items = np.asarray(dataset.histories.items)[in_training].astype(np.int64)
        users = dataset.histories.users[in_training]
        keys, weights = [], []
        for gap in range(1, MAX_GAP + 1):
            is_same = users[gap:] == users[:-gap]
            own = items[:-gap][is_same] * (len(dataset.items) + 1) + items[gap:][is_same]
            keys.append(own)
            weights.append(np.full(len(own), DECAY ** (gap - 1)))
        found, places = np.unique(np.concatenate(keys), return_inverse=True)
        return cls(found, np.bincount(places, np.concatenate(weights), len(found)).astype(np.float32))


class Follows(nn.Module):
    """The logarithm of the share of what followed the history that was the target, and its weight in a logit.

    In training what the click itself added to the counts is taken out: no click is a reason for itself.
    """

    keys_P: Tensor
    counts_P: Tensor
    totals_V: Tensor

    def __init__(self, num_items: int, num_pairs: int) -> None:
        super().__init__()
        self.num_rows = num_items + 1
        self.weight = nn.Parameter(torch.zeros(()))
        self.register_buffer("keys_P", torch.zeros(num_pairs, dtype=torch.int64))
        self.register_buffer("counts_P", torch.zeros(num_pairs))
        self.register_buffer("totals_V", torch.zeros(self.num_rows))

    def assign(self, pairs: Pairs) -> None:
        self.keys_P.copy_(torch.from_numpy(pairs.keys))
        self.counts_P.copy_(torch.from_numpy(pairs.counts))
        self.totals_V.zero_().index_add_(0, self.keys_P // self.num_rows, self.counts_P)

    def forward(self, batch: RankingBatch) -> Tensor:
        """-> [H, C] logarithms of shares: 0 where the target followed nothing of the history, positive elsewhere."""
        return ((self.shares(batch) + LEAST_SHARE) / LEAST_SHARE).log()

    def shares(self, batch: RankingBatch) -> Tensor:
        """[H, C]: of each click of the history the share of the target, an older click counting less."""
        items_HL, length = batch.moments.items_HL, batch.moments.items_HL.shape[1]
        context = SequenceContext(batch.moments.lengths_H)
        behind_HL = context.clicks_behind(length)
        recent_HL = DECAY**behind_HL * context.valid_BL(length)
        counts_HCL = self._counts(items_HL[:, None] * self.num_rows + batch.items_HC[..., None])
        totals_HL = self.totals_V[items_HL]
        if not self.training:
            return (recent_HL[:, None] * counts_HCL / totals_HL.clamp(min=1.0)[:, None]).sum(dim=-1)
        own_HL = self._own(batch.moments, behind_HL, context.valid_BL(length))
        is_own_HC1 = (batch.items_HC == batch.moments.own_H[:, None])[..., None]
        left_HCL = (counts_HCL - is_own_HC1 * own_HL[:, None]).clamp(min=0.0)
        return (recent_HL[:, None] * left_HCL / (totals_HL - own_HL).clamp(min=1.0)[:, None]).sum(dim=-1)

    def _own(self, moments: Moments, behind_HL: Tensor, valid_HL: Tensor) -> Tensor:
        """[H, L] what the moment's own click added to the pair of each click's item and its own."""
        gap_HL = behind_HL + moments.tied_H[:, None]
        added_HL = DECAY**gap_HL * (valid_HL & (gap_HL < MAX_GAP))
        is_same_HLL = moments.items_HL[:, :, None] == moments.items_HL[:, None]
        return (is_same_HLL * added_HL[:, None]).sum(dim=-1)

    def _counts(self, keys: Tensor) -> Tensor:
        if not len(self.keys_P):
            return torch.zeros(keys.shape, device=keys.device)
        places = torch.searchsorted(self.keys_P, keys).clamp(max=len(self.keys_P) - 1)
        return self.counts_P[places] * (self.keys_P[places] == keys)
