"""What was clicked next: items that follow each other in the histories of training."""

import numpy as np
from scipy.sparse import coo_array, csr_array

from recsys.data.dataset import Dataset
from recsys.evaluation.baselines.item_to_item import MAX_PAST, ItemToItem, TrainingClicks, recent_clicks
from recsys.evaluation.questions import Questions

MAX_GAP = 5
"""Clicks of one history that are at most this many steps apart are a transition."""


class CoVisitation(ItemToItem):
    """Scores an item by what followed each of a user's recent clicks, an older click counting decay times as much."""

    def __init__(self, questions: Questions, *, decay: float) -> None:
        super().__init__(
            recent_clicks(questions, decay=decay),
            transitions(questions.dataset, decay=decay),
            detail=f"what followed the last {MAX_PAST} clicks within {MAX_GAP} steps, decay {decay:g}",
        )


def transitions(dataset: Dataset, *, decay: float) -> csr_array:
    """Pairs of training clicks, decay^(gap - 1) each, as shares of all that leaves the first item."""
    clicks = TrainingClicks.of(dataset)
    shape = (len(dataset.items) + 1,) * 2
    counts = csr_array(shape)
    for gap in range(1, MAX_GAP + 1):
        is_same = clicks.users[gap:] == clicks.users[:-gap]
        pairs = clicks.items[:-gap][is_same], clicks.items[gap:][is_same]
        times = coo_array((np.ones(len(pairs[0]), dtype=np.int32), pairs), shape).tocsr()
        counts = counts + times * decay ** (gap - 1)
    counts.data /= np.repeat(counts.sum(axis=1), np.diff(counts.indptr))
    return counts
