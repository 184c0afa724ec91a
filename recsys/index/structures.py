"""Approximate indices of FAISS: they name candidates, and what those score is not their matter.

Two kinds: inverted lists, whatever the lists hold, and a graph.
"""

import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from recsys.index.selection import Chosen
from recsys.index.selector import selector_of
from recsys.index.vectors import Float32, Int64

# Of a graph this share must be allowed, or so many nodes may be visited, for a filter to take part in its search.
LEAST_ALLOWED, MOST_VISITED, DETOUR = 0.25, 4096, 4
# FAISS's limits for reading are one for all threads.
_reading = threading.Lock()


class Structure(ABC):
    def __init__(self, index: Any) -> None:
        self.index = index  # FAISS's stubs lack half of what it has

    @staticmethod
    def open(path: Path) -> "Structure":
        """Mapped into memory. FAISS has no checksum: check yours first. ValueError for what it cannot read."""
        try:
            index = _read(path)
        except (RuntimeError, OSError) as error:
            raise ValueError(f"not an index that FAISS can read: {str(error).splitlines()[0]}") from None
        kinds: dict[Any, type[Structure]] = {faiss.IndexIVF: Lists, faiss.IndexIDMap: Graph}
        for kind, structure in kinds.items():
            if isinstance(index, kind) and index.metric_type == faiss.METRIC_INNER_PRODUCT:
                return structure(index)
        raise ValueError(f"expected lists or a graph for inner products, got {type(index).__name__}")

    def save(self, path: Path) -> None:
        faiss.write_index(self.index, str(path))

    def add(self, vectors: Float32, rows: Int64) -> None:
        """Each vector is the row of that number, which is a new one."""
        self.index.add_with_ids(vectors, rows)

    def candidates(self, queries: Float32, num: int, visited: int, chosen: Chosen | None = None) -> Int64:
        """[queries, num] rows in no order that matters, -1 where there are no more."""
        selector = None if chosen is None else selector_of(chosen)
        _, rows = self.index.search(queries, num, params=self._parameters(visited, selector))
        found: Int64 = rows
        return found

    @abstractmethod
    def visits(self, queries: Float32, visited: int, chosen: Chosen) -> Int64:
        """[queries] as many as find, of what is chosen, what `visited` would find of everything; 0: too many to pay.

        Each is a power of two times `visited`, or all, so that a query's answer is not its neighbours' matter and few
        different numbers come up.
        """

    @abstractmethod
    def _parameters(self, visited: int, selector: faiss.IDSelector | None) -> Any: ...


class Lists(Structure):
    """A row lies in the list of its nearest centroid; the lists of the centroids nearest to a query are read."""

    def __init__(self, index: Any) -> None:
        super().__init__(index)
        self._places: NDArray[np.int32] | None = None
        self._counted: tuple[Chosen | None, Int64] = None, np.zeros(0, np.int64)

    def visits(self, queries: Float32, visited: int, chosen: Chosen) -> Int64:
        """Lists, nearest first, until as many allowed rows are read as rows are without a filter."""
        num_lists, num_rows = int(self.index.nlist), chosen.num_rows
        allowed = self._allowed(chosen)
        wanted = min(visited * num_rows / num_lists, allowed.sum())
        _, nearest = self.index.quantizer.search(queries, num_lists)
        needed = (np.cumsum(allowed[nearest], axis=1) >= wanted).argmax(axis=1) + 1
        rounded = np.minimum(_doubled(needed, visited), num_lists)
        # to read those costs so many rows, and to score all that is allowed costs those
        return np.where(rounded * num_rows / num_lists < allowed.sum(), rounded, 0)

    def _allowed(self, chosen: Chosen) -> Int64:
        """[lists] how many rows of each are allowed."""
        known, counts = self._counted
        if known is not chosen:
            places = self._places_of(chosen.num_rows)
            named = np.bincount(places[chosen.rows], minlength=int(self.index.nlist))
            counts = named if chosen.is_allowed else self._sizes - named
            self._counted = chosen, counts  # the next query is likely to be asked with the same one
        return counts

    def _places_of(self, num_rows: int) -> NDArray[np.int32]:
        """[rows] the list of each."""
        if self._places is None:
            places, lists = np.zeros(num_rows, np.int32), self.index.invlists
            self._sizes = np.array([lists.list_size(number) for number in range(self.index.nlist)])
            for number in np.flatnonzero(self._sizes).tolist():
                places[faiss.rev_swig_ptr(lists.get_ids(number), int(self._sizes[number]))] = number
            self._places = places  # whole, or not at all: other threads look here
        return self._places

    def _parameters(self, visited: int, selector: faiss.IDSelector | None) -> Any:
        return vars(faiss)["SearchParametersIVF"](nprobe=min(visited, self.index.nlist), sel=selector)


class Graph(Structure):
    def visits(self, queries: Float32, visited: int, chosen: Chosen) -> Int64:
        """More by as much as less is allowed, and some more for what a filter takes out of the way there."""
        share = chosen.count / chosen.num_rows
        needed = _doubled(np.array([DETOUR * visited / max(share, 1 / chosen.num_rows)]), visited)[0]
        is_worth_it = share >= LEAST_ALLOWED and needed <= MOST_VISITED
        return np.full(len(queries), needed if is_worth_it else 0)

    def _parameters(self, visited: int, selector: faiss.IDSelector | None) -> Any:
        return vars(faiss)["SearchParametersHNSW"](efSearch=visited, sel=selector)


def _doubled(needed: NDArray[Any], unit: int) -> Int64:
    """The unit times a power of two that is enough."""
    powers = np.ceil(np.log2(np.maximum(needed / unit, 1.0)))
    return (unit * 2.0**powers).astype(np.int64)


def _read(path: Path) -> Any:
    limit = path.stat().st_size
    with _reading:
        before = faiss.get_deserialization_vector_byte_limit(), faiss.get_deserialization_loop_limit()
        faiss.set_deserialization_vector_byte_limit(limit)
        faiss.set_deserialization_loop_limit(limit)
        try:
            return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        finally:
            faiss.set_deserialization_vector_byte_limit(before[0])
            faiss.set_deserialization_loop_limit(before[1])
