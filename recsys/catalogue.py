"""The items of a bundle as people name them: ids, titles, features, and what they may have meant."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from recsys.bundle.opened import Bundle
from recsys.data.suggestions import close_items
from recsys.data.vocabulary import INTEGER, PADDING, ItemId
from recsys.errors import DataError, UnknownItem

REMEMBERED = 1 << 16
MOST_DIGITS = 20
"""Of an integer of 64 bits, with its sign."""


class Catalogue:
    """Knows ids and indices, not vectors."""

    def __init__(self, bundle: Bundle) -> None:
        self._items = bundle.items
        self._titles = bundle.titles
        self._features = bundle.features
        self._known = bundle.known
        # texts are found by bisection, numbers at once
        self._index_of_text = lru_cache(REMEMBERED)(bundle.items.index_of)

    def ids(self, indices: Iterable[int]) -> list[ItemId]:
        return self._items.ids_of(indices)

    def title(self, index: int) -> str | None:
        return None if self._titles is None else self._titles.of(int(index))

    def titles(self, indices: NDArray[np.int64]) -> list[str | None]:
        return [None] * len(indices) if self._titles is None else self._titles.take(indices)

    def features(self, index: int) -> dict[str, list[str]]:
        """What the log's item table says of an item, by column; a column without a value is left out."""
        told = {}
        for feature in self._features:
            values = feature.values[feature.offsets[index] : feature.offsets[index + 1]]
            if len(values):
                told[feature.name] = [feature.labels[int(value) - 1] for value in values]
        return told

    def indices(self, history: Sequence[ItemId]) -> NDArray[np.int32]:
        """0 where an item is unknown."""
        if isinstance(history, str):
            raise DataError(f"items are a list of ids, got the text {history!r}: give [{history!r}]")
        if {*map(type, history)} == {str} and self._items.plain is str:
            return np.fromiter(map(self._index_of_text, history), dtype=np.int32, count=len(history))
        return self._items.indices_of(history)

    def trained_index(self, item: ItemId) -> int:
        """UnknownItem, with close matches, where there is no such item or the model never saw it."""
        index = self.index(item)
        if not self._known[index]:
            raise UnknownItem(f"item {item!r} was never clicked in training: nothing is known of its neighbours")
        return index

    def index(self, item: ItemId) -> int:
        """UnknownItem, with close matches, where there is no such item."""
        index = self._items.index_of(item)
        if index == PADDING:
            size = f"{len(self._items):,} items"
            raise UnknownItem(f"item {item!r} is not in this bundle's catalogue ({size}){self._meant(str(item))}")
        return index

    def parse(self, text: str) -> ItemId:
        """An id as it is typed on a command line, in the catalogue's type; UnknownItem where it cannot be one."""
        parsed = self._parsed(text)
        if parsed is None:
            told = f"item {text!r} is no id of this bundle, whose ids are {self._items.id_type}"
            raise UnknownItem(f"{told}{self._meant(text)}")
        return parsed

    def trained_index_of(self, text: str) -> int:
        """Of an id as text; 0 where there is no such item or the model never saw it. No message is made of it."""
        parsed = self._parsed(text)
        index = PADDING if parsed is None else self._items.index_of(parsed)
        return index if self._known[index] else PADDING

    def _parsed(self, text: str) -> ItemId | None:
        id_type = self._items.id_type
        if id_type == "string":
            return text
        if not id_type.startswith("float") and len(text) <= MOST_DIGITS and re.fullmatch(INTEGER, text):
            return int(text)
        if id_type.startswith("float") and re.fullmatch(r"-?[0-9.]+([eE][-+]?[0-9]+)?", text):
            with suppress(ValueError):
                return float(text)
        return None

    def name(self, index: int) -> str:
        """The id with its title, for people."""
        item, title = self.ids([index])[0], self.title(index)
        return repr(item) if title is None else f"{item!r} ({title})"

    def _meant(self, text: str) -> str:
        """The end of a message about an item that is not there."""
        close = close_items(text, self._items, self._titles)
        if not close:
            return ", and no id or title is like it"
        return f": did you mean {', '.join(map(self.name, close))}?"
