"""Where clicks and recommendations lie between the most and the least clicked items."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from recsys.evaluation.config import K
from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import Ranking
from recsys.evaluation.report.contents import PopularityShares

NUM_PARTS = 10


def popularity_shares(questions: Questions, rankings: Mapping[str, Ranking]) -> PopularityShares:
    """Of the candidates; targets that are none are left out. All 0 where nothing is listed."""
    tenths = _tenths(questions)
    return PopularityShares(
        clicked=_shares(tenths[questions.targets]),
        recommended={system: _shares(tenths[ranking.items[:, :K]]) for system, ranking in rankings.items()},
    )


def _tenths(questions: Questions) -> NDArray[np.int64]:
    """[items + 1] the tenth that each candidate lies in, from 0 for the most clicked; -1 for everything else."""
    dataset = questions.dataset
    candidates = np.flatnonzero(dataset.candidates)
    order = candidates[np.argsort(-dataset.training_counts()[candidates], kind="stable")]
    tenths = np.full(len(dataset.items) + 1, -1)
    tenths[order] = np.arange(len(order)) * NUM_PARTS // len(order)
    return tenths


def _shares(tenths: NDArray[np.int64]) -> tuple[float, ...]:
    counts = np.bincount(tenths[tenths >= 0], minlength=NUM_PARTS)
    return tuple((counts / max(1, counts.sum())).tolist())
