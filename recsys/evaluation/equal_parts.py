"""Cuts values into parts of about equal weight. Equal values are never parted, so there may be fewer parts."""

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]


def part_of(values: Int64, weights: NDArray[np.integer], num_parts: int) -> Int64:
    """[N] the part of each value, from 0 for the smallest; no part is empty."""
    return np.searchsorted(borders(values, weights, num_parts), values, side="right")


def borders(values: Int64, weights: NDArray[np.integer], num_parts: int) -> Int64:
    """Rising values at which another part begins: where the weight below is nearest to 1/n, 2/n ... of it all."""
    distinct, place = np.unique(values, return_inverse=True)
    if len(distinct) < 2:
        return distinct[:0]
    below = np.cumsum(np.bincount(place, weights=weights))
    shares = np.arange(1, num_parts) / num_parts
    nearest = np.abs(below[:-1, None] / below[-1] - shares).argmin(axis=0)
    return distinct[1:][np.unique(nearest)]


def range_text(values: Int64) -> str:
    """What lies between the smallest and the largest value, both included, such as "2-12"."""
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,}-{high:,}"
