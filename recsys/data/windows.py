"""Which stretch of which history one training example reads.

A window [start, stop) of the flat click arrays trains on stop - start - 1 targets: the clicks at [start, stop - 1) are
read and the clicks at [start + 1, stop) predicted. With L = 4 and a history a b c d e f g h i j,

    last    reads  f g h i                    predicts  g h i j
    random  reads  c d e f                    predicts  d e f g                    (begin drawn anew each epoch)
    all     reads  a b | c d e f | g h i      predicts  b c | d e f g | h i j      (offset drawn anew each epoch)

Numbers and arrays only: knows neither batches nor tensors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recsys.data.histories import Histories
from recsys.data.split import Split

Int64 = NDArray[np.int64]
WindowKind = Literal["last", "random", "all"]


@dataclass(frozen=True)
class Windows:
    """[W] users, and the window of each in the flat arrays."""

    users: Int64
    starts: Int64
    stops: Int64

    def __len__(self) -> int:
        return len(self.users)

    @property
    def lengths(self) -> Int64:
        """How many clicks each window reads, and predicts."""
        return self.stops - self.starts - 1

    def take(self, rows: Int64 | slice) -> "Windows":
        return Windows(self.users[rows], self.starts[rows], self.stops[rows])


def training_windows(histories: Histories, split: Split) -> Windows:
    """The whole training part of every user with at least two training clicks."""
    starts, stops = np.asarray(histories.offsets[:-1]), np.asarray(split.train_end)
    users = np.flatnonzero(stops - starts >= 2)
    return Windows(users.astype(np.int64), starts[users], stops[users])


def last_windows(whole: Windows, max_length: int, _: np.random.Generator) -> Windows:
    """Each user's most recent `max_length` targets."""
    return Windows(whole.users, np.maximum(whole.starts, whole.stops - 1 - max_length), whole.stops)


def random_windows(whole: Windows, max_length: int, random: np.random.Generator) -> Windows:
    """One stretch of `max_length` targets of each user, any of them equally often; all of a shorter history."""
    spare = np.maximum(whole.lengths - max_length, 0)
    starts = whole.starts + random.integers(0, spare + 1)
    return Windows(whole.users, starts, np.minimum(starts + max_length + 1, whole.stops))


def all_windows(whole: Windows, max_length: int, random: np.random.Generator) -> Windows:
    """Every training click as a target exactly once, cut at a random offset where a history is longer than L."""
    targets = whole.lengths
    first = np.where(
        targets > max_length, random.integers(1, max_length + 1, len(whole)), np.minimum(targets, max_length)
    )
    counts = 1 + -(-(targets - first) // max_length)
    owner = np.repeat(np.arange(len(whole)), counts)
    nth = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    cut = whole.starts[owner] + first[owner] + (nth - 1) * max_length
    starts = np.where(nth == 0, whole.starts[owner], cut)
    stops = np.minimum(cut + max_length, whole.stops[owner] - 1) + 1
    return Windows(whole.users[owner], starts, stops)


CUTS: dict[WindowKind, Callable[[Windows, int, np.random.Generator], Windows]] = {
    "last": last_windows,
    "random": random_windows,
    "all": all_windows,
}
