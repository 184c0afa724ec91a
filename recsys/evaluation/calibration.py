"""Are the retriever's probabilities to be believed? It was trained by a softmax over the catalogue, so the softmax
of its scores over what may be returned is how probable it holds each item to be the next click."""

import numpy as np
import torch
from numpy.typing import NDArray

from recsys.evaluation.config import K
from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import Scorer, tiles
from recsys.evaluation.report.contents import Calibration, CalibrationBin
from recsys.topk import topk_of_scores

Bools = NDArray[np.bool_]
Float64 = NDArray[np.float64]

NUM_BINS = 12
ENOUGH_USERS = 8_000
"""Of more users, about as many are asked, in stretches that are evenly spread."""


def calibrate(questions: Questions, scorer: Scorer) -> Calibration | None:
    """Of the first 10 of each list; users of whom nothing can be read are left out, None where that is everybody."""
    candidates = torch.from_numpy(np.array(questions.dataset.candidates))
    is_readable = questions.pasts(1).lengths > 0
    probabilities, is_target = [], []
    for rows in _enough(tiles(len(questions), len(candidates))):
        readable = is_readable[rows]
        scores = scorer(rows)
        # this masks the scores in place: what cannot be returned is -inf from here on
        best = topk_of_scores(scores, k=K, candidates_V=candidates, exclusions=questions.exclusions(rows))
        logs = (best.scores_UK - scores.logsumexp(dim=1, keepdim=True)).cpu().numpy()[readable]
        items = best.indices_UK.cpu().numpy()[readable]
        probabilities.append(np.exp(logs.astype(np.float64))[items > 0])
        is_target.append((items == questions.targets[rows][readable, None])[items > 0])
    predicted, happened = np.concatenate(probabilities), np.concatenate(is_target)
    return binned(predicted, happened, NUM_BINS) if len(predicted) else None


def binned(probabilities: Float64, happened: Bools, num_bins: int) -> Calibration:
    """Bins of about equal count by rising probability; equal probabilities are in one bin."""
    edges = np.unique(np.quantile(probabilities, np.arange(1, num_bins) / num_bins))
    _, place = np.unique(np.searchsorted(edges, probabilities), return_inverse=True)
    counts = np.bincount(place)
    predicted = np.bincount(place, weights=probabilities) / counts
    observed = np.bincount(place, weights=happened) / counts
    return Calibration(
        bins=tuple(map(CalibrationBin, predicted.tolist(), observed.tolist(), counts.tolist())),
        error=float(np.average(np.abs(predicted - observed), weights=counts)),
    )


def _enough(whole: list[slice]) -> list[slice]:
    """Every n-th tile."""
    num_users = whole[-1].stop
    return whole[:: max(1, round(num_users / ENOUGH_USERS))]
