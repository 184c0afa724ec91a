"""Why an item is recommended, and where items lie: what a page shows beside the lists. Knows item indices."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.index.vectors import unit_rows
from recsys.recommender import Recommender
from recsys.rules import Clicks

MOST_LEFT_OUT, NUM_REASONS, NUM_PLACES = 20, 2, 1_500


def reasons(recommender: Recommender, clicks: Clicks, items: NDArray[np.int64]) -> list[list[tuple[int, float]]]:
    """Of each item the clicks of one user that raise its score most, (item, by how much): all are read without each.

    Of a long history only the last clicks are left out in turn. A click that lowers a score is no reason.
    """
    known = clicks.only(recommender.bundle.known)
    if len(known.items) == 0 or len(items) == 0:
        return [[] for _ in items]
    last = known.items[-min(MOST_LEFT_OUT, recommender.bundle.manifest.max_length) :]
    left_out = np.unique(last)
    users = recommender.user_vectors(_without_each(known, left_out)).cpu().numpy()
    scores = users @ recommender.bundle.item_vectors[items].T
    raised = scores[0] - scores[1:]
    best = np.argsort(-raised, axis=0)[:NUM_REASONS].T
    return [
        [(int(left_out[click]), float(raised[click, column])) for click in own if raised[click, column] > 0]
        for column, own in enumerate(best)
    ]


def _without_each(clicks: Clicks, left_out: NDArray[np.int32]) -> Clicks:
    """One user's clicks, and those without the first item, without the second ...; times and all."""
    kept = np.concatenate([np.ones((1, len(clicks.items)), bool), clicks.items != left_out[:, None]])
    places = np.nonzero(kept)[1]
    return Clicks(
        clicks.items[places],
        np.concatenate([np.zeros(1, np.int64), np.cumsum(kept.sum(axis=1))]),
        None if clicks.times is None else clicks.times[places],
        None if clicks.asked is None else np.repeat(clicks.asked, len(kept)),
    )


@dataclass(frozen=True)
class Places:
    """Items and where they lie, each coordinate from -1 to 1: the two directions in which the vectors differ most."""

    items: NDArray[np.int64]
    points: NDArray[np.float32]


def item_map(recommender: Recommender) -> Places:
    """The most clicked candidates."""
    bundle = recommender.bundle
    candidates = np.flatnonzero(bundle.candidates)
    items = candidates[np.argsort(-bundle.popularity[candidates], kind="stable")][:NUM_PLACES]
    units = unit_rows(bundle.item_vectors[items]).astype(np.float64)
    centred = units - units.mean(axis=0)
    values, directions = np.linalg.eigh(centred.T @ centred)
    points = centred @ directions[:, np.argsort(-values)[:2]]
    if points.shape[1] < 2:
        points = np.column_stack([points, np.zeros(len(points))])
    return Places(items, (points / max(float(np.abs(points).max(initial=0.0)), 1e-12)).astype(np.float32))
