"""Logs that differ from the real one in chosen clicks only: other items were clicked, or later."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from recsys.data.dataset import Dataset
from recsys.data.histories import Histories
from recsys.evaluation.audit.clicks import Bools, Int64

LATER = 1 << 40
"""Times are moved by as much at most: 12 days in microseconds."""


def with_other_items(dataset: Dataset, chosen: Bools, random: np.random.Generator) -> Dataset:
    """Each chosen click is on another item, drawn among the candidates. What is stored stays as it is."""
    items = np.array(dataset.histories.items)
    items[chosen] = _others(items[chosen], np.flatnonzero(dataset.candidates), random)
    return replace(dataset, histories=Histories(items, dataset.histories.times, dataset.histories.offsets))


def with_later_times(dataset: Dataset, positions: Int64, random: np.random.Generator) -> Dataset:
    """The clicks at `positions`, each the last of its user, happen later."""
    times = np.array(dataset.histories.times)
    times[positions] += random.integers(1, LATER, len(positions))
    return replace(dataset, histories=Histories(dataset.histories.items, times, dataset.histories.offsets))


def _others(items: NDArray[np.int32], known: Int64, random: np.random.Generator) -> NDArray[np.int32]:
    """A step along the known items, never all the way round."""
    assert len(known) > 1, "one item alone cannot be replaced"
    places = np.searchsorted(known, items)
    return known[(places + random.integers(1, len(known), len(items))) % len(known)].astype(items.dtype)
