"""Labelled examples for the ranker: would this user, with what was clicked before, click this item now?

An example points into the histories and copies none of them: it reads a user's clicks *strictly before* its time, so
that of clicks at one moment none tells of another.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recsys.data.dataset import Dataset

Int64 = NDArray[np.int64]
Part = Literal["training", "validation", "test"]
PARTS: tuple[Part, ...] = ("training", "validation", "test")


@dataclass(frozen=True)
class Examples:
    """N moments, and C candidates at each of them: an example is one candidate.

    `clicks` [N] is the click, as a place in the flat arrays, whose user, time and context a moment has; its history are
    the clicks of that user before place `ends` [N]. `items` and `labels` are [N, C].
    """

    clicks: Int64
    users: NDArray[np.int32]
    ends: Int64
    items: NDArray[np.int32]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        """How many examples."""
        return self.items.size

    @property
    def num_moments(self) -> int:
        return len(self.clicks)

    @property
    def num_candidates(self) -> int:
        """C"""
        return self.items.shape[1]

    @property
    def user_of_each(self) -> Int64:
        """[N * C] whose each example is."""
        return np.repeat(self.users.astype(np.int64), self.num_candidates)

    def fingerprint(self) -> str:
        """Of all of it."""
        return hashlib.sha256(b"".join(array.tobytes() for array in vars(self).values())).hexdigest()

    def take(self, rows: Int64) -> "Examples":
        """Some moments, with all their candidates."""
        return Examples(self.clicks[rows], self.users[rows], self.ends[rows], self.items[rows], self.labels[rows])


def part_of_clicks(dataset: Dataset, part: Part) -> Int64:
    """Places of the part's clicks: all of them, whichever the split."""
    offsets = np.asarray(dataset.histories.offsets)
    bounds = {
        "training": (offsets[:-1], np.asarray(dataset.split.train_end)),
        "validation": (np.asarray(dataset.split.train_end), np.asarray(dataset.split.validation_end)),
        "test": (np.asarray(dataset.split.validation_end), offsets[1:]),
    }
    return stretches(*bounds[part])


def stretches(begins: Int64, ends: Int64) -> Int64:
    """Every place of [begins[n], ends[n]), stretch after stretch."""
    lengths = ends - begins
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    return np.arange(offsets[-1]) + np.repeat(begins - offsets[:-1], lengths)


def labelled_examples(dataset: Dataset, part: Part) -> Examples:
    """One example a click of a log that has labels: its own item."""
    assert dataset.labels is not None
    clicks = part_of_clicks(dataset, part)
    items = np.asarray(dataset.histories.items)[clicks]
    return examples_of(dataset, clicks, items[:, None], dataset.labels[clicks][:, None])


def examples_of(dataset: Dataset, clicks: Int64, items: NDArray[np.int32], labels: NDArray[np.uint8]) -> Examples:
    """Whether each of [clicks, C] items is clicked at the moment of the click."""
    return Examples(clicks, dataset.histories.users[clicks], moment_begins(dataset)[clicks], items, labels)


def moment_begins(dataset: Dataset) -> Int64:
    """[clicks] the place of the first click of the same user at the same time."""
    times, users = np.asarray(dataset.histories.times), dataset.histories.users
    is_first = np.ones(len(times), dtype=bool)
    is_first[1:] = (times[1:] != times[:-1]) | (users[1:] != users[:-1])
    return np.maximum.accumulate(np.where(is_first, np.arange(len(times)), 0))
