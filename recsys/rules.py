"""What a model may read, and the popular items. Knows arrays only.

Item 0 is padding and stands for every item that is not in the catalogue.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Clicks:
    """Several users' items, oldest first: user u's are items[offsets[u] : offsets[u + 1]].

    `times` are those of the items, and `asked` the moment each user is asked about, in microseconds; `marks` has the
    values of each feature of the clicks, [clicks, M], and `users` the users' indices. None where not known. `told` is
    what somebody tells of the users, [users, M] of each feature: it counts in place of what is known of their indices.
    """

    items: NDArray[np.int32]
    offsets: Int64
    times: Int64 | None = None
    asked: Int64 | None = None
    marks: tuple[NDArray[np.int32], ...] = ()
    users: Int64 | None = None
    told: tuple[NDArray[np.int32], ...] = ()

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def counts(self) -> Int64:
        return np.diff(self.offsets)

    @classmethod
    def of(cls, histories: Sequence[NDArray[np.int32]]) -> "Clicks":
        """One array for each user."""
        lengths = [len(history) for history in histories]
        return cls(np.concatenate([np.zeros(0, np.int32), *histories]), np.cumsum([0, *lengths], dtype=np.int64))

    @classmethod
    def of_stretches(
        cls,
        items: NDArray[np.int32],
        times: Int64 | None,
        *,
        begins: Int64,
        ends: Int64,
        marks: tuple[NDArray[np.int32], ...] = (),
    ) -> "Clicks":
        """User u's are items[begins[u] : ends[u]], out of one flat array."""
        lengths = ends - begins
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        index = np.arange(offsets[-1]) + np.repeat(begins - offsets[:-1], lengths)
        own_marks = tuple(mark[index] for mark in marks)
        return cls(items[index], offsets, None if times is None else times[index], marks=own_marks)

    def only(self, allowed: NDArray[np.bool_]) -> "Clicks":
        """Without the clicks on items that are not `allowed`, a mask over the catalogue."""
        kept = allowed[self.items]
        kept_before = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])
        return replace(
            self,
            items=self.items[kept],
            offsets=kept_before[self.offsets],
            times=None if self.times is None else self.times[kept],
            marks=tuple(mark[kept] for mark in self.marks),
        )

    def rows(self, start: int, stop: int) -> "Clicks":
        """Those of users [start, stop)."""
        offsets = self.offsets[start : stop + 1]
        clicks, users = slice(int(offsets[0]), int(offsets[-1])), slice(start, stop)
        return Clicks(
            self.items[clicks],
            offsets - offsets[0],
            None if self.times is None else self.times[clicks],
            None if self.asked is None else self.asked[users],
            tuple(mark[clicks] for mark in self.marks),
            None if self.users is None else self.users[users],
            tuple(values[users] for values in self.told),
        )


def most_popular(popularity: Int64, candidates: NDArray[np.bool_]) -> Int64:
    """Candidates by falling popularity, ties by smaller index."""
    items = np.flatnonzero(candidates)
    return items[np.argsort(-popularity[items], kind="stable")]
