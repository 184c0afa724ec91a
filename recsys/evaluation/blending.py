"""How much the ranker should say in both stages' order: what ranks the validation clicks best."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from recsys.blend import Blend
from recsys.evaluation.config import K
from recsys.evaluation.metrics import ndcg
from recsys.evaluation.two_stage import Stages
from recsys.section import Section
from recsys.topk import UNRANKED

WEIGHTS = tuple(round(0.05 * step, 2) for step in range(21))
MAX_USERS = 10_000
"""Validation users that are looked at."""
UNJUDGED = 0.5
"""Where there is no validation click to choose by."""
AT_ONCE = 256


class BlendChoice(Section):
    """What both stages' order is, and why: NDCG@10 of the validation clicks by the ranker's weight."""

    blend: Blend
    users: int
    """Whose validation clicks were ranked; 0 where the weight was not chosen by them."""
    ndcg: tuple[tuple[float, float], ...] = ()

    def line(self) -> str:
        told = f"Blend: {1 - self.blend.weight:.2f} x retriever + {self.blend.weight:.2f} x ranker"
        if not self.ndcg:
            return f"{told} (not chosen by validation clicks)"
        scores = dict(self.ndcg)
        alone = f"{scores[0.0]:.4f} by the retriever alone, {scores[1.0]:.4f} by the ranker alone"
        return f"{told}; NDCG@{K} of {self.users:,} validation clicks {scores[self.blend.weight]:.4f}, {alone}"


def choose_blend(stages: Stages) -> BlendChoice:
    """The questions of `stages` are those of validation. Of equally good weights the least."""
    total = np.zeros(len(WEIGHTS))
    users = len(stages.questions)
    with tqdm(total=users, desc="blend", unit=" users", disable=None) as bar:
        for start in range(0, users, AT_ONCE):
            rows = slice(start, min(start + AT_ONCE, users))
            total += _gains(stages, rows).sum(axis=1)
            bar.update(rows.stop - rows.start)
    if not users:
        return BlendChoice(blend=Blend(weight=UNJUDGED), users=0)
    means = tuple(zip(WEIGHTS, (total / users).tolist(), strict=True))
    return BlendChoice(blend=Blend(weight=WEIGHTS[int(total.argmax())]), users=users, ndcg=means)


def _gains(stages: Stages, rows: slice) -> NDArray[np.float64]:
    """[weights, users] NDCG@10"""
    found = stages(rows)
    targets_U = torch.from_numpy(stages.questions.targets[rows])
    is_target_UK = found.items_UK == targets_U[:, None]
    ranks = [_ranks(Blend(weight=weight)(found.scores_UK, found.logits_UK), is_target_UK) for weight in WEIGHTS]
    return ndcg(torch.stack(ranks).numpy(), K)


def _ranks(blended_UK: Tensor, is_target_UK: Tensor) -> Tensor:
    """[U] the target's, ties ranking it last; UNRANKED where it is not among the items."""
    own_U1 = blended_UK.masked_fill(~is_target_UK, float("-inf")).amax(dim=1, keepdim=True)
    ranks_U = (blended_UK >= own_U1).sum(dim=1)
    return ranks_U.masked_fill(~is_target_UK.any(dim=1), UNRANKED)
