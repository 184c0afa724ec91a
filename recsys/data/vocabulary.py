"""External ids and dense indices: the only place that knows both, and the owner of PADDING = 0.

Index n + 1 is the n-th of the sorted ids, so indices follow the ids and never the order of the input.
"""

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsys.data.texts import Texts
from recsys.errors import DataError

PADDING = 0
INTEGER = "(0|-?[1-9][0-9]*)"
"""Pattern of the one way to write an integer: read from text, 01, +1 and -0 are none."""
ItemId = int | float | str
Indices = NDArray[np.int32]


class Vocabulary(ABC):
    """Sorted ids of one type; indices run from 1 to len(self), and 0 is nobody."""

    id_type: str
    """"string", or a NumPy type such as "int64"."""
    plain: type
    """Python's own type of such ids; others may do as well."""

    @staticmethod
    def open(directory: Path, name: str) -> "Vocabulary":
        """What `save` wrote."""
        if (directory / f"{name}.npy").exists():
            return NumberVocabulary(np.load(directory / f"{name}.npy", mmap_mode="r"))
        return TextVocabulary(Texts.open(directory, name))

    @abstractmethod
    def save(self, directory: Path, name: str) -> None: ...

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def ids_of(self, indices: Iterable[int]) -> list[ItemId]:
        """External ids of indices from 1 on, exactly as they came in."""

    @abstractmethod
    def accepts(self, external_id: ItemId) -> bool:
        """Whether an id is of the vocabulary's type."""

    @abstractmethod
    def _find(self, external_id: ItemId) -> int:
        """Index of an accepted id, 0 where it is not here."""

    def __iter__(self) -> Iterator[ItemId]:
        return iter(self.ids_of(range(1, len(self) + 1)))

    def index_of(self, external_id: ItemId) -> int:
        """`indices_of` one."""
        return self._find(external_id) if self.accepts(external_id) else int(self.indices_of([external_id])[0])

    def indices_of(self, ids: Sequence[ItemId]) -> Indices:
        """Index of each id, 0 where it is unknown; DataError where an id is of another type, which never matches."""
        if not self.accepts_all(ids):
            stranger = next(external_id for external_id in ids if not self.accepts(external_id))
            raise DataError(
                f"ids here are of type {self.id_type}; found {stranger!r}, "
                f"a {type(stranger).__name__}: give ids in the type of the log"
            )
        return self._find_all(ids)

    def accepts_all(self, ids: Sequence[ItemId]) -> bool:
        """Whether all ids are of the vocabulary's type."""
        return {*map(type, ids)} <= {self.plain} or all(map(self.accepts, ids))

    def _find_all(self, ids: Sequence[ItemId]) -> Indices:
        """`_find` each."""
        return np.fromiter((self._find(external_id) for external_id in ids), dtype=np.int32, count=len(ids))


class NumberVocabulary(Vocabulary):
    """Ids that are numbers, kept in their own type."""

    def __init__(self, ids: NDArray[np.generic]) -> None:
        self.ids = np.asarray(ids)
        self.id_type = ids.dtype.name
        self.plain = float if ids.dtype.kind == "f" else int
        limits = None if ids.dtype.kind == "f" else np.iinfo(self.id_type)
        self._limits = None if limits is None else (limits.min, limits.max)

    def save(self, directory: Path, name: str) -> None:
        np.save(directory / f"{name}.npy", self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def ids_of(self, indices: Iterable[int]) -> list[ItemId]:
        found: list[ItemId] = self.ids[_array(indices) - 1].tolist()
        return found

    def accepts(self, external_id: ItemId) -> bool:
        is_whole = isinstance(external_id, int | np.integer) and not isinstance(external_id, bool)
        if self.ids.dtype.kind == "f":
            return isinstance(external_id, float | np.floating) or (is_whole and abs(int(external_id)) <= 1 << 53)
        return is_whole

    def _find(self, external_id: ItemId) -> int:
        if self._limits is not None and not self._limits[0] <= int(external_id) <= self._limits[1]:
            return PADDING
        place = int(np.searchsorted(self.ids, self.ids.dtype.type(external_id)))
        return place + 1 if place < len(self) and self.ids[place] == external_id else PADDING

    def _find_all(self, ids: Sequence[ItemId]) -> Indices:
        """At once, unless a number is among them that the ids' own type does not hold."""
        try:
            wanted = np.array(ids, dtype=self.ids.dtype)
        except OverflowError:
            return super()._find_all(ids)
        if not len(ids) or not len(self) or wanted.tolist() != [*ids]:
            return super()._find_all(ids)
        places = np.searchsorted(self.ids, wanted).clip(max=len(self) - 1)
        return np.where(self.ids[places] == wanted, places + 1, PADDING).astype(np.int32)


class TextVocabulary(Vocabulary):
    """Ids that are text."""

    id_type = "string"
    plain = str

    def __init__(self, texts: Texts) -> None:
        self.texts = texts

    def save(self, directory: Path, name: str) -> None:
        self.texts.save(directory, name)

    def __len__(self) -> int:
        return len(self.texts)

    def ids_of(self, indices: Iterable[int]) -> list[ItemId]:
        return [*self.texts.take(_array(indices) - 1)]

    def accepts(self, external_id: ItemId) -> bool:
        return isinstance(external_id, str)

    def _find(self, external_id: ItemId) -> int:
        wanted = str(external_id).encode(errors="surrogatepass")
        place = bisect_left(range(len(self)), wanted, key=self.texts.encoded)
        return place + 1 if place < len(self) and self.texts.encoded(place) == wanted else PADDING


def _array(indices: Iterable[int]) -> NDArray[np.int64]:
    if isinstance(indices, np.ndarray):
        return indices.astype(np.int64, copy=False)
    return np.fromiter(indices, dtype=np.int64)
