"""The second stage of an answer: the retriever's first items, in the order of both stages. Knows indices, not ids."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from recsys.blend import Blend
from recsys.data.example_batches import Moments, Stretches
from recsys.model.ranking.ranker import Ranker, judged_candidates
from recsys.rules import Clicks
from recsys.topk import NOTHING, TopK

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Reranker:
    ranker: Ranker
    blend: Blend
    device: torch.device

    @torch.inference_mode()
    def __call__(self, clicks: Clicks, found: TopK, k: int) -> TopK:
        """Of the items found for each user of `clicks` the k best, with the blend of both stages' scores."""
        items_UK = found.indices_UK.to(self.device)
        judged = judged_candidates(
            self.ranker, items_UK, lambda rows: moments_of(clicks.rows(rows.start, rows.stop), self.ranker)
        )
        blended_UK = self.blend(found.scores_UK.to(self.device), judged.logits_HC, judged.followed_HC)
        blended_UK = blended_UK.masked_fill(items_UK == 0, NOTHING)
        best = blended_UK.sort(dim=1, descending=True, stable=True)
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
    stretches = Stretches(clicks.items, clicks.times, marks, starts, lengths)
    told = tuple(torch.from_numpy(values.astype(np.int64)) for values in clicks.told)
    return replace(stretches.moments(_asked(clicks), users, context), told=told)


def _asked(clicks: Clicks) -> Int64:
    """The moment asked about, or that of each user's last click."""
    if clicks.asked is not None:
        return clicks.asked
    if clicks.times is None or not len(clicks.times):
        return np.zeros(len(clicks), np.int64)
    return clicks.times[np.clip(clicks.offsets[1:] - 1, 0, len(clicks.times) - 1)]
