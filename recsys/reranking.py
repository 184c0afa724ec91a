"""The second stage of an answer: the retriever's first items, in the ranker's order. Knows indices, not ids."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys.data.example_batches import Moments, Stretches
from recsys.model.ranking.ranker import Ranker
from recsys.rules import Clicks
from recsys.topk import NOTHING, TopK

Int64 = NDArray[np.int64]
AT_ONCE = 32
"""Users whose candidates make one batch."""


@dataclass(frozen=True)
class Reranker:
    """`num_candidates` is how many items of each user the ranker is handed."""

    ranker: Ranker
    num_candidates: int
    device: torch.device

    @torch.inference_mode()
    def __call__(self, clicks: Clicks, found: TopK, k: int) -> TopK:
        """Of the items found for each user of `clicks` the k most probable, with the probability of a click."""
        parts = [
            self._some(clicks.rows(start, start + AT_ONCE), found.indices_UK[start : start + AT_ONCE], k)
            for start in range(0, len(clicks), AT_ONCE)
        ]
        nothing = [TopK(found.indices_UK[:0, :k], found.scores_UK[:0, :k])] if not parts else []
        both = [*parts, *nothing]
        return TopK(torch.cat([part.indices_UK for part in both]), torch.cat([part.scores_UK for part in both]))

    def _some(self, clicks: Clicks, items_UK: Tensor, k: int) -> TopK:
        items_UK = items_UK.to(self.device)
        scores_UK = self.ranker.of_candidates(moments_of(clicks, self.ranker), items_UK).sigmoid()
        best = scores_UK.masked_fill(items_UK == 0, NOTHING).sort(dim=1, descending=True, stable=True)
        return TopK(items_UK.gather(1, best.indices)[:, :k], best.values[:, :k])


def moments_of(clicks: Clicks, ranker: Ranker) -> Moments:
    """Each user at the moment asked about, or at the last click's; what is not known of the clicks is nothing."""
    ends = clicks.offsets[1:]
    starts = np.maximum(clicks.offsets[:-1], ends - ranker.config.max_length)
    lengths = ends - starts
    features = ranker.shape.click_features
    marks = clicks.marks or tuple(np.zeros((len(clicks.items), 1), np.int32) for _ in features)
    users = np.zeros(len(clicks), np.int64) if clicks.users is None else clicks.users
    context = tuple(np.zeros((len(clicks), 1), np.int32) for one in features if one.is_context)
    return Stretches(clicks.items, clicks.times, marks, starts, lengths).moments(_asked(clicks), users, context)


def _asked(clicks: Clicks) -> Int64:
    """The moment asked about, or that of each user's last click."""
    if clicks.asked is not None:
        return clicks.asked
    if clicks.times is None or not len(clicks.times):
        return np.zeros(len(clicks), np.int64)
    return clicks.times[np.clip(clicks.offsets[1:] - 1, 0, len(clicks.times) - 1)]
