"""Duplicates and rare ids leave; what stays is sorted by (user, time, order of input). Arrays only."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.data.events.config import MinClicksConfig

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Clicks:
    """Sorted clicks; `rows` says where in the input each was."""

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    times: Int64
    rows: Int64

    def __len__(self) -> int:
        return len(self.users)

    def take(self, chosen: NDArray[np.bool_]) -> "Clicks":
        if chosen.all():
            return self
        return Clicks(self.users[chosen], self.items[chosen], self.times[chosen], self.rows[chosen])


def sort_clicks(users: NDArray[np.int32], items: NDArray[np.int32], times: Int64) -> Clicks:
    """By user, then time, then order of input."""
    order = _order(users, times)
    return Clicks(users[order], items[order], times[order], order)


def _order(users: NDArray[np.int32], times: Int64) -> Int64:
    if len(users) == 0:
        return np.zeros(0, np.int64)
    first = int(times.min())
    bits = (int(times.max()) - first).bit_length()
    if bits + int(users.max()).bit_length() > 63:
        return np.lexsort((times, users))
    # user and time side by side in one number sort in half the time
    return np.argsort((users.astype(np.int64) << bits) | (times - first), kind="stable")


def tied_with_previous(clicks: Clicks) -> NDArray[np.bool_]:
    """[clicks] whether the click before is the same user's, at the same time."""
    tied = np.zeros(len(clicks), dtype=bool)
    tied[1:] = (clicks.users[1:] == clicks.users[:-1]) & (clicks.times[1:] == clicks.times[:-1])
    return tied


def without_duplicates(clicks: Clicks) -> Clicks:
    """Of clicks of one user on one item at one time, the first."""
    tied = tied_with_previous(clicks)
    involved = np.flatnonzero(tied | np.append(tied[1:], False))
    if len(involved) == 0:
        return clicks
    moment = np.cumsum(~tied)[involved]
    frame = pl.DataFrame({"moment": moment, "item": clicks.items[involved]})
    repeated = involved[(~frame.select(pl.struct("moment", "item").is_first_distinct()).to_series()).to_numpy()]
    kept = np.ones(len(clicks), dtype=bool)
    kept[repeated] = False
    return clicks.take(kept)


def without_rare(clicks: Clicks, config: MinClicksConfig, *, test_from: int | None = None) -> Clicks:
    """Without clicks on items, then of users, that have too few; an item's clicks from `test_from` on do not count."""
    while True:
        before = len(clicks)
        counted = np.ones(len(clicks), dtype=bool) if test_from is None else clicks.times < test_from
        clicks = _without_rare(clicks, clicks.items, counted, config.per_item)
        clicks = _without_rare(clicks, clicks.users, np.ones(len(clicks), dtype=bool), config.per_user)
        if not config.until_stable or len(clicks) == before:
            return clicks


def _without_rare(clicks: Clicks, codes: NDArray[np.int32], counted: NDArray[np.bool_], least: int) -> Clicks:
    if least == 1 or len(clicks) == 0:
        return clicks
    return clicks.take((np.bincount(codes[counted], minlength=int(codes.max()) + 1) >= least)[codes])
