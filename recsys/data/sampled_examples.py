"""Clicks, and beside each of them items that were not clicked: examples for a log that has no labels."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from recsys.data.dataset import Dataset
from recsys.data.examples import PARTS, Examples, Part, examples_of, moment_begins, part_of_clicks

Int64 = NDArray[np.int64]
ROUNDS = 20
"""After so many draws an item may stand that the user has clicked before: there are hardly others."""

Draw = Callable[[np.random.Generator, Int64, int], NDArray[np.int32]]
"""(chance, clicks, how many for each) -> [clicks, n] items."""


def sampled_examples(dataset: Dataset, part: Part, *, negatives: int, draw: Draw, seed: int) -> Examples:
    """Each click of the part on a candidate with label 1, and `negatives` items with label 0 behind it.

    None of these is the click's own item, and none the user had clicked before; what is clicked later may be drawn, for
    to leave it out would tell the future.
    """
    clicks = part_of_clicks(dataset, part)
    clicks = clicks[dataset.candidates[np.asarray(dataset.histories.items)[clicks]]]
    own = np.asarray(dataset.histories.items)[clicks]
    seen, random = Seen(dataset), np.random.default_rng([seed, PARTS.index(part)])
    drawn = draw(random, clicks, negatives)
    for _ in range(ROUNDS):
        wrong = (drawn == own[:, None]) | seen(clicks, drawn)
        rows = np.flatnonzero(wrong.any(axis=1))
        if len(rows) == 0:
            break
        drawn[rows] = np.where(wrong[rows], draw(random, clicks[rows], negatives), drawn[rows])
    items = np.concatenate([own[:, None], drawn], axis=1).astype(np.int32)
    labels = np.zeros(items.shape, dtype=np.uint8)
    labels[:, 0] = 1
    return examples_of(dataset, clicks, items, labels)


class Seen:
    """Whether a user had clicked an item strictly before the time of a click."""

    def __init__(self, dataset: Dataset) -> None:
        self.users, self.begins = dataset.histories.users, moment_begins(dataset)
        self.num_items = len(dataset.items) + 1
        keys = self._keys(self.users, np.asarray(dataset.histories.items))
        self.keys, self.first = np.unique(keys, return_index=True)

    def __call__(self, clicks: Int64, items: NDArray[np.int32]) -> NDArray[np.bool_]:
        """[clicks, n]"""
        keys = self._keys(self.users[clicks][:, None], items)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return (self.keys[places] == keys) & (self.first[places] < self.begins[clicks][:, None])

    def _keys(self, users: NDArray[np.int32], items: NDArray[np.int32]) -> Int64:
        return users.astype(np.int64) * self.num_items + items


def uniform(dataset: Dataset) -> Draw:
    """All candidates alike."""
    candidates = np.flatnonzero(dataset.candidates).astype(np.int32)
    return lambda random, clicks, n: random.choice(candidates, (len(clicks), n))


def by_popularity(dataset: Dataset) -> Draw:
    """Candidates as often as they were clicked in training."""
    counts = dataset.training_counts() * dataset.candidates
    items = np.flatnonzero(counts).astype(np.int32)
    bounds = np.cumsum(counts[items])

    def draw(random: np.random.Generator, clicks: Int64, n: int) -> NDArray[np.int32]:
        return items[np.searchsorted(bounds, random.integers(0, bounds[-1], (len(clicks), n)), "right")]

    return draw
