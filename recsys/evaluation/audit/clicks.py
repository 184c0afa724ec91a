"""Every click with its user and its part, told anew from the positions of the split and by no code of the data room."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recsys.data.dataset import Dataset

Int64 = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Clicks:
    """[clicks] all of a dataset, in its order."""

    items: NDArray[np.int32]
    times: Int64
    users: NDArray[np.int32]
    trains: Bools
    tests: Bools

    @classmethod
    def of(cls, dataset: Dataset) -> "Clicks":
        histories, split = dataset.histories, dataset.split
        users = np.repeat(np.arange(len(histories.lengths), dtype=np.int32), histories.lengths)
        place = np.arange(len(users))
        trains = place < np.asarray(split.train_end)[users]
        tests = place >= np.asarray(split.validation_end)[users]
        return cls(np.asarray(histories.items), np.asarray(histories.times), users, trains, tests)

    @property
    def validates(self) -> Bools:
        return ~(self.trains | self.tests)

    @cached_property
    def training_counts(self) -> Int64:
        """[up to the largest item that trains, at least]"""
        return np.bincount(self.items[self.trains], minlength=int(self.items.max(initial=0)) + 1)


def stretches(begins: Int64, ends: Int64) -> tuple[Int64, Int64]:
    """Every position in [begins[n], ends[n]), and the n it belongs to."""
    lengths = ends - begins
    owner = np.repeat(np.arange(len(begins)), lengths)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return begins[owner] + within, owner
