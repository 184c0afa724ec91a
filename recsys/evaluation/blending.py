"""How much the ranker should say in both stages' order: what ranks the validation clicks best."""

from collections.abc import Sequence

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
COUNTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""What is tried for the word of what followed what, where the ranker counts that."""
MAX_USERS = 10_000
"""Validation users that are looked at."""
UNJUDGED = 0.5
"""Where there is no validation click to choose by."""
AT_ONCE = 256


class BlendChoice(Section):
    """What both stages' order is, and why."""

    blend: Blend
    users: int
    """Whose validation clicks were ranked; 0 where the weights were not chosen by them."""
    ndcg: tuple[tuple[float, float], ...] = ()
    """NDCG@10 of those by the ranker's weight, the other weight as chosen."""
    retriever_alone: float | None = None
    ranker_alone: float | None = None

    def line(self) -> str:
        counts = f" + {self.blend.covisitation:g} x what followed" if self.blend.covisitation else ""
        told = f"Blend: {1 - self.blend.weight:.2f} x retriever + {self.blend.weight:.2f} x ranker{counts}"
        if not self.ndcg:
            return f"{told} (not chosen by validation clicks)"
        alone = f"{self.retriever_alone:.4f} by the retriever alone, {self.ranker_alone:.4f} by the ranker alone"
        best = dict(self.ndcg)[self.blend.weight]
        return f"{told}; NDCG@{K} of {self.users:,} validation clicks {best:.4f}, {alone}"


def choose_blend(stages: Stages) -> BlendChoice:
    """The questions of `stages` are those of validation. Of equally good weights the least."""
    users = len(stages.questions)
    if not users:
        return BlendChoice(blend=Blend(weight=UNJUDGED), users=0)
    counts = (0.0,) if stages.ranker.follows is None else COUNTS
    blends = [[Blend(weight=weight, covisitation=count) for weight in WEIGHTS] for count in counts]
    total = np.zeros((len(counts), len(WEIGHTS)))
    with tqdm(total=users, desc="blend", unit=" users", disable=None) as bar:
        for start in range(0, users, AT_ONCE):
            rows = slice(start, min(start + AT_ONCE, users))
            total += _gains(stages, rows, blends)
            bar.update(rows.stop - rows.start)
    means, (count, weight) = total / users, np.unravel_index(int(total.argmax()), total.shape)
    return BlendChoice(
        blend=blends[count][weight],
        users=users,
        ndcg=tuple(zip(WEIGHTS, means[count].tolist(), strict=True)),
        retriever_alone=float(means[0, 0]),
        ranker_alone=float(means[0, -1]),
    )


def _gains(stages: Stages, rows: slice, blends: Sequence[Sequence[Blend]]) -> NDArray[np.float64]:
    """Summed NDCG@10 of these users by each blend."""
    found = stages(rows)
    is_target_UK = found.items_UK == torch.from_numpy(stages.questions.targets[rows])[:, None]
    return np.array(
        [[ndcg(_ranks(found.blended(blend), is_target_UK).numpy(), K).sum() for blend in row] for row in blends]
    )


def _ranks(blended_UK: Tensor, is_target_UK: Tensor) -> Tensor:
    """[U] the target's, ties ranking it last; UNRANKED where it is not among the items."""
    own_U1 = blended_UK.masked_fill(~is_target_UK, float("-inf")).amax(dim=1, keepdim=True)
    ranks_U = (blended_UK >= own_U1).sum(dim=1)
    return ranks_U.masked_fill(~is_target_UK.any(dim=1), UNRANKED)
