"""Every click of every user in three flat arrays, memory-mapped, sorted by (user, time, order of input)."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Histories:
    """User u's clicks lie at [offsets[u], offsets[u + 1]) of `items` and `times`; user 0 is nobody and has none.

    Times are microseconds since 1970, or the log's own numbers where it has no clock.
    """

    items: NDArray[np.int32]
    times: Int64
    offsets: Int64

    @classmethod
    def open(cls, directory: Path) -> "Histories":
        return cls(*(np.load(directory / f"{name}.npy", mmap_mode="r") for name in ("items", "times", "offsets")))

    def save(self, directory: Path) -> None:
        for name in ("items", "times", "offsets"):
            np.save(directory / f"{name}.npy", getattr(self, name))

    @property
    def num_users(self) -> int:
        return len(self.offsets) - 2

    @property
    def num_events(self) -> int:
        return len(self.items)

    @cached_property
    def users(self) -> NDArray[np.int32]:
        """[clicks] whose each is."""
        return np.repeat(np.arange(len(self.offsets) - 1, dtype=np.int32), self.lengths)

    @property
    def lengths(self) -> Int64:
        """[num_users + 1] clicks of each user, user 0 included."""
        return np.diff(self.offsets)
