"""What a model has to beat: Popular and Co-visitation. Both know nothing but training clicks, and learn nothing."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys.data.dataset import Dataset
from recsys.evaluation.questions import Questions

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

MAX_GAP = 5
"""Clicks of one history that are at most this many steps apart are a transition."""
MAX_PAST = 10
"""How many of a user's most recent clicks are followed."""


class Popular:
    """Scores an item by how often it was clicked in training, the same for everybody."""

    def __init__(self, dataset: Dataset) -> None:
        self.counts = torch.from_numpy(dataset.training_counts().astype(np.float32))

    def __call__(self, rows: slice) -> Tensor:
        return self.counts.repeat(rows.stop - rows.start, 1)


@dataclass(frozen=True)
class Transitions:
    """What follows item i, and how much: following[offsets[i] : offsets[i + 1]], rising; the weights sum to 1."""

    following: Int64
    weights: Float64
    offsets: Int64

    @classmethod
    def count(cls, dataset: Dataset, *, decay: float) -> "Transitions":
        """Pairs of training clicks, decay^(gap - 1) each, as shares of all that leaves the first item."""
        histories, num_rows = dataset.histories, len(dataset.items) + 1
        trains = dataset.split.in_training(histories)
        clicked = np.asarray(histories.items)[trains].astype(np.int64)
        users = np.repeat(np.arange(len(histories.lengths)), histories.lengths)[trains]
        pairs, counts = np.zeros(0, dtype=np.int64), np.zeros(0)
        for gap in range(1, MAX_GAP + 1):
            is_same = users[gap:] == users[:-gap]
            found, times = np.unique((clicked[:-gap] * num_rows + clicked[gap:])[is_same], return_counts=True)
            pairs, counts = _add_up(np.concatenate([pairs, found]), np.append(counts, times * decay ** (gap - 1)))
        source = pairs // num_rows
        leaving = np.bincount(source, weights=counts, minlength=num_rows)
        offsets = np.searchsorted(source, np.arange(num_rows + 1))
        return cls(pairs % num_rows, counts / leaving[source], offsets)


class CoVisitation:
    """Scores an item by what followed each of a user's recent clicks, an older click counting decay times as much."""

    def __init__(self, questions: Questions, *, decay: float) -> None:
        self.transitions = Transitions.count(questions.dataset, decay=decay)
        self.pasts = questions.pasts(MAX_PAST)
        self.decay = decay
        self.num_rows = len(questions.dataset.items) + 1

    def __call__(self, rows: slice) -> Tensor:
        """float32, because sums that ought to be equal should be."""
        ends = (self.pasts.starts + self.pasts.lengths)[rows]
        scores = np.zeros((len(ends), self.num_rows))
        for distance in range(MAX_PAST):
            asking = np.flatnonzero(self.pasts.lengths[rows] > distance)
            clicked = np.asarray(self.pasts.items[ends[asking] - 1 - distance])
            self._follow(scores, asking, clicked, self.decay**distance)
        return torch.from_numpy(scores.astype(np.float32))

    def _follow(self, scores: Float64, asking: Int64, clicked: NDArray[np.int32], weight: float) -> None:
        """Adds the transitions of one click of each asking user; within a user no item comes twice."""
        first = self.transitions.offsets[clicked]
        counts = self.transitions.offsets[clicked + 1] - first
        before = np.cumsum(counts) - counts
        index = np.arange(counts.sum()) + np.repeat(first - before, counts)
        places = np.repeat(asking * self.num_rows, counts) + self.transitions.following[index]
        scores.reshape(-1)[places] += weight * self.transitions.weights[index]


def _add_up(keys: Int64, values: Float64) -> tuple[Int64, Float64]:
    """The distinct keys, rising, and the sum of each one's values."""
    distinct, place = np.unique(keys, return_inverse=True)
    return distinct, np.bincount(place, weights=values, minlength=len(distinct)).astype(np.float64)
