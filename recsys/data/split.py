"""A split is two positions per user, where training ends and where validation ends: an index, not a copy.

clicks of a user    [ training | validation | test )
                 offset   train_end   validation_end   next offset
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsys.data.histories import Histories

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class HeldOut:
    """[N] users, and where in the flat arrays the click to predict lies."""

    users: Int64
    positions: Int64

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True)
class Split:
    """[num_users + 1] flat positions: offsets[u] <= train_end[u] <= validation_end[u] <= offsets[u + 1]."""

    train_end: Int64
    validation_end: Int64

    @classmethod
    def open(cls, directory: Path) -> "Split":
        return cls(*(np.load(directory / f"{name}.npy", mmap_mode="r") for name in ("train_end", "validation_end")))

    def save(self, directory: Path) -> None:
        np.save(directory / "train_end.npy", self.train_end)
        np.save(directory / "validation_end.npy", self.validation_end)

    def validation(self, histories: Histories) -> HeldOut:
        """The last validation click of each user who has one, and a click before it."""
        return _last_clicks(histories, np.asarray(self.train_end), np.asarray(self.validation_end))

    def test(self, histories: Histories) -> HeldOut:
        """The last test click of each user who has one, and a click before it."""
        return _last_clicks(histories, np.asarray(self.validation_end), np.asarray(histories.offsets[1:]))

    def in_training(self, histories: Histories) -> NDArray[np.bool_]:
        """[clicks] whether each belongs to the training part."""
        starts, ends = np.asarray(histories.offsets[:-1]), np.asarray(histories.offsets[1:])
        lengths = np.stack([self.train_end - starts, ends - self.train_end], axis=1)
        return np.repeat(np.tile([True, False], len(starts)), lengths.ravel())


def split_leave_last_out(histories: Histories) -> Split:
    """Last click tests, last but one validates; users with fewer than three clicks only train."""
    ends = np.asarray(histories.offsets[1:])
    held_out = np.where(histories.lengths >= 3, 1, 0)
    return Split(ends - 2 * held_out, ends - held_out)


@dataclass(frozen=True)
class Cuts:
    """The moments from which on clicks validate, and test. Clicks at the cut itself lie behind it: none are parted."""

    validation: int
    test: int

    @classmethod
    def of(cls, times: Int64, *, test_share: float, validation_share: float) -> "Cuts":
        """The last `test_share` of all clicks tests; of those before, the last `validation_share` validates."""
        test = _moment(times, 1.0 - test_share)
        before = times[times < test]
        return cls(_moment(before, 1.0 - validation_share) if len(before) else test, test)


def split_by_time(histories: Histories, cuts: Cuts) -> Split:
    return Split(_ends_before(histories, cuts.validation), _ends_before(histories, cuts.test))


def split_by_users(histories: Histories, *, testing: NDArray[np.bool_], validation_share: float, seed: int) -> Split:
    """Whole users test; of the others, a share drawn by `seed` validates. `testing` is [num_users + 1]."""
    starts, ends = np.asarray(histories.offsets[:-1]), np.asarray(histories.offsets[1:])
    others = np.flatnonzero(~testing[1:]) + 1
    drawn = np.random.default_rng(seed).choice(others, round(validation_share * len(others)), replace=False)
    validating = np.zeros(len(starts), dtype=bool)
    validating[drawn] = True
    return Split(np.where(testing | validating, starts, ends), np.where(testing, starts, ends))


def _moment(times: Int64, share: float) -> int:
    """The moment that has a share of the times before it."""
    place = min(int(share * len(times)), len(times) - 1)
    return int(np.partition(times, place)[place])


def _ends_before(histories: Histories, moment: int) -> Int64:
    """Where each user's clicks reach `moment`."""
    before = np.concatenate([[0], np.cumsum(histories.times < moment)])
    offsets = np.asarray(histories.offsets)
    ends: Int64 = offsets[:-1] + before[offsets[1:]] - before[offsets[:-1]]
    return ends


def _last_clicks(histories: Histories, begins: Int64, ends: Int64) -> HeldOut:
    has_target = (ends > begins) & (ends - 1 > np.asarray(histories.offsets[:-1]))
    users = np.flatnonzero(has_target).astype(np.int64)
    return HeldOut(users, ends[users] - 1)
