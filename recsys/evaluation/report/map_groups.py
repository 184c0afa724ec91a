"""What colours the points of a map: the values of a feature, or clicks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.data.dataset import Dataset
from recsys.data.feature_table import Feature
from recsys.evaluation.equal_parts import part_of, range_text

Int64 = NDArray[np.int64]

MAX_GROUPS = 7
OTHER = "other"


@dataclass(frozen=True)
class Groups:
    """[N] `places` are indices into `names`."""

    coloured_by: str
    names: tuple[str, ...]
    places: Int64


def by_clicks(dataset: Dataset, items: Int64) -> Groups:
    """Quarters, the most clicked first."""
    counts = dataset.training_counts()[items]
    parts = part_of(counts, np.ones_like(counts), 4)
    last = int(parts.max())
    names = [f"{range_text(counts[parts == part])} clicks" for part in range(last, -1, -1)]
    return Groups("clicks in training", tuple(names), last - parts)


def by_feature(feature: Feature, items: Int64) -> Groups:
    """The most frequent values; of several that an item has, the rarest of them, which says most about it."""
    owners, values = _values(feature, items)
    frequency = np.bincount(values, minlength=feature.num_values)
    frequent = np.argsort(-frequency, kind="stable")[: min(MAX_GROUPS - 1, np.count_nonzero(frequency))]
    place_of = np.full(feature.num_values, -1)
    place_of[frequent] = np.arange(len(frequent))
    places = np.full(len(items), -1)
    np.maximum.at(places, owners, place_of[values])
    used, places = np.unique(np.where(places < 0, len(frequent), places), return_inverse=True)
    names = [*(feature.labels[int(value) - 1] for value in frequent), OTHER]
    has_several = len(np.unique(owners)) < len(owners)
    how = f"{feature.name} (of several, the rarest of those shown)" if has_several else feature.name
    return Groups(how, tuple(names[place] for place in used), places)


def _values(feature: Feature, items: Int64) -> tuple[Int64, Int64]:
    """Of all values of the items: the place of its item, and the value."""
    starts = np.asarray(feature.offsets)[items]
    counts = np.asarray(feature.offsets)[items + 1] - starts
    owners = np.repeat(np.arange(len(items)), counts)
    index = np.arange(len(owners)) + np.repeat(starts - (np.cumsum(counts) - counts), counts)
    return owners, np.asarray(feature.values)[index].astype(np.int64)
