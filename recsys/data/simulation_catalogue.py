"""The items of a simulated log: what they are, how popular, and since when. Knows no users."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

DEPARTMENTS = {
    "kitchen": ("kettle", "frying pan", "chef's knife", "coffee grinder", "baking tin"),
    "garden": ("watering can", "rake", "planter", "hammock", "bird feeder"),
    "music": ("guitar", "keyboard", "metronome", "record player", "headphones"),
    "outdoors": ("tent", "sleeping bag", "head torch", "hiking boots", "backpack"),
    "office": ("desk lamp", "notebook", "fountain pen", "office chair", "monitor stand"),
    "toys": ("puzzle", "kite", "building blocks", "board game", "model train"),
    "clothes": ("raincoat", "jumper", "scarf", "sun hat", "socks"),
    "home": ("cushion", "candle", "wall clock", "blanket", "picture frame"),
}
TAGS = ("bright", "classic", "compact", "foldable", "handmade", "light", "quiet", "recycled", "rugged",
        "striped", "vintage", "wooden")  # fmt: skip
NUM_DEPARTMENTS = len(DEPARTMENTS)
NUM_TAGS = len(TAGS)
# round robin, so that few categories still belong to several departments: category c is of department c % 8
CATEGORIES = tuple(name for row in zip(*DEPARTMENTS.values(), strict=True) for name in row)
ITEMS_PER_CATEGORY = 50


@dataclass(frozen=True)
class Catalogue:
    """All items, numbered from 0. Row `num_items` of `category` and `tags` stands for "no item"."""

    category: NDArray[np.int64]  # [items + 1]; the last is num_categories
    tags: NDArray[np.float32]  # [items + 1, tags] of 0 and 1; the last row is all 0
    log_weight: NDArray[np.float32]  # [items]: how popular within its category
    arrival: NDArray[np.int64]  # [items]: seconds since the log's begin; 0 for three quarters of them

    @property
    def num_items(self) -> int:
        return len(self.arrival)

    @property
    def num_categories(self) -> int:
        return int(self.category[-1])

    @cached_property
    def members(self) -> NDArray[np.int64]:
        """[categories, largest size]: the items of each category; the rest is num_items."""
        lists = [np.flatnonzero(self.category[:-1] == c) for c in range(self.num_categories)]
        table = np.full((len(lists), max(map(len, lists))), self.num_items)
        for row, items in zip(table, lists, strict=True):
            row[: len(items)] = items
        return table

    def titles(self) -> list[str]:
        """One readable and unique title an item, such as "Quiet vintage kettle no. 31"."""
        return [
            f"{' '.join(self.tags_of(i))} {CATEGORIES[c]} no. {i}".capitalize()
            for i, c in enumerate(self.category[:-1])
        ]

    def tags_of(self, item: int) -> list[str]:
        return [TAGS[t] for t in np.flatnonzero(self.tags[item])]


def draw_catalogue(num_items: int, *, skew: float, span: int, rng: np.random.Generator) -> Catalogue:
    """Categories of equal size, Zipf weights in each, one to three tags an item, a quarter arriving late.

    `skew` is the Zipf exponent, `span` the length of the log in seconds.
    """
    num_categories = min(max(num_items // ITEMS_PER_CATEGORY, 4), 24)
    order = rng.permutation(num_items)
    category = np.empty(num_items + 1, dtype=np.int64)
    category[order] = np.arange(num_items) % num_categories
    category[num_items] = num_categories
    place = np.empty(num_items)  # 0 is the most popular of its category
    place[order] = np.arange(num_items) // num_categories
    late = (rng.random(num_items) < 0.25) & (place > 0)  # so no category is ever empty
    arrival = np.where(late, rng.integers(span // 20, span, num_items), 0)
    return Catalogue(
        category=category,
        tags=_draw_tags(num_items, rng),
        log_weight=(-skew * np.log(place + 1.0)).astype(np.float32),
        arrival=arrival,
    )


def _draw_tags(num_items: int, rng: np.random.Generator) -> NDArray[np.float32]:
    how_many = rng.choice([1, 2, 3], num_items, p=[0.4, 0.4, 0.2])
    places = rng.random((num_items, NUM_TAGS)).argsort(axis=1)
    tags = np.zeros((num_items + 1, NUM_TAGS), dtype=np.float32)
    tags[:num_items] = places < how_many[:, None]
    return tags
