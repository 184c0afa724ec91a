"""Users with nearly the same items, found by MinHash in bands and then counted exactly.

    J = |A n B| / |A u B|          two users share a MinHash with probability J
    bands of 6, 8 of them          they meet in one with probability 1 - (1 - J^6)^8: .998 for J = .9, .12 for J = .5

In a bucket each user is held against the next one only, so that a crowd of equals costs no more than its size.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.evaluation.audit.clicks import Int64, stretches

LIKE, LEAST_ITEMS = 0.9, 10
BANDS, ROWS = 8, 6
AT_ONCE = 1 << 22
"""Items of candidate pairs held at a time."""


@dataclass(frozen=True)
class ItemSets:
    """Set n has members[offsets[n] : offsets[n + 1]], rising."""

    members: Int64
    offsets: Int64

    @classmethod
    def of(cls, items: NDArray[np.int32], users: NDArray[np.int32], *, num_items: int) -> "ItemSets":
        """The distinct items of each user who has enough of them."""
        clicks = np.bincount(users)
        is_long = clicks[users] >= LEAST_ITEMS
        pairs = np.unique(users[is_long].astype(np.int64) * (num_items + 1) + items[is_long])
        owner = pairs // (num_items + 1)
        sizes = np.bincount(owner)
        kept = sizes[owner] >= LEAST_ITEMS if len(owner) else np.zeros(0, dtype=bool)
        lengths = sizes[sizes >= LEAST_ITEMS]
        return cls(pairs[kept] % (num_items + 1), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def sizes(self) -> Int64:
        return np.diff(self.offsets)


def num_alike(items: NDArray[np.int32], users: NDArray[np.int32], *, num_items: int) -> tuple[int, int]:
    """How many users have a near-duplicate, of how many with enough items."""
    sets = ItemSets.of(items, users, num_items=num_items)
    if len(sets) < 2:
        return 0, len(sets)
    pairs = _candidates(sets, num_items)
    alike = pairs[_jaccard(sets, pairs) >= LIKE]
    return len(np.unique(alike)), len(sets)


def _candidates(sets: ItemSets, num_items: int) -> Int64:
    """[pairs, 2] sets that meet in a bucket."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(BANDS):
        bucket = np.zeros(len(sets), dtype=np.uint64)
        for _ in range(ROWS):
            smallest = np.minimum.reduceat(_hashes(num_items, random)[sets.members], sets.offsets[:-1])
            bucket = bucket * np.uint64(0x9E3779B97F4A7C15) + smallest
        order = np.argsort(bucket, kind="stable")
        meets = np.flatnonzero(bucket[order][1:] == bucket[order][:-1])
        found.append(order[meets] * len(sets) + order[meets + 1])
    keys = np.unique(np.concatenate(found))
    pairs = np.stack([keys // len(sets), keys % len(sets)], axis=1)
    sizes = sets.sizes[pairs]
    return pairs[sizes.min(axis=1) >= LIKE * sizes.max(axis=1)]


def _hashes(num_items: int, random: np.random.Generator) -> NDArray[np.uint32]:
    """[items + 1]"""
    return random.integers(0, 1 << 32, num_items + 1, dtype=np.uint32)


def _jaccard(sets: ItemSets, pairs: Int64) -> NDArray[np.float64]:
    """[pairs] exactly."""
    sizes = sets.sizes[pairs]
    common = np.zeros(len(pairs), dtype=np.int64)
    num_items = int(sets.members.max()) + 1
    keys = np.repeat(np.arange(len(sets)), sets.sizes) * num_items + sets.members
    blocks = np.searchsorted(np.cumsum(sizes[:, 0]), np.arange(AT_ONCE, sizes[:, 0].sum() + AT_ONCE, AT_ONCE))
    for rows in np.split(np.arange(len(pairs)), np.unique(blocks)):
        first, second = pairs[rows].T
        place, pair = stretches(sets.offsets[first], sets.offsets[first + 1])
        wanted = second[pair] * num_items + sets.members[place]
        found = keys[np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)] == wanted
        common[rows] = np.bincount(pair, weights=found, minlength=len(rows))
    return common / (sizes.sum(axis=1) - common)
