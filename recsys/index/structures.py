"""Approximate indices of FAISS: they name candidates, and what those score is not their matter.

Two kinds: inverted lists, whatever the lists hold, and a graph. Rows that were retired are not named by lists, which
forget them; a graph goes on naming them, so whoever asks leaves them out.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import faiss
import numpy as np
from numpy.typing import NDArray

from recsys.index.selection import Selection
from recsys.index.selector import selector_of
from recsys.index.vectors import Float32, Int64

# Of a graph this share must be allowed, or so many nodes may be visited, for a filter to take part in its search.
LEAST_ALLOWED, MOST_VISITED, DETOUR = 0.25, 4096, 4


class Structure(ABC):
    forgets: ClassVar[bool]
    """Whether `retire` takes rows out."""
    steps: ClassVar[str]
    """What is visited."""

    def __init__(self, index: Any, *, is_mapped: bool = False) -> None:
        self.index = index  # FAISS's stubs lack half of what it has
        self.is_mapped = is_mapped

    @staticmethod
    def open(path: Path) -> "Structure":
        """Mapped into memory. FAISS has no checksum: check yours first. ValueError for what it cannot read."""
        limit = path.stat().st_size
        faiss.set_deserialization_vector_byte_limit(limit)
        faiss.set_deserialization_loop_limit(limit)
        try:
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise ValueError(f"not an index that FAISS can read: {str(error).splitlines()[0]}") from None
        kinds = {faiss.IndexIVF: Lists, faiss.IndexIDMap: Graph}
        for kind, structure in kinds.items():
            if isinstance(index, kind) and index.metric_type == faiss.METRIC_INNER_PRODUCT:
                return structure(index, is_mapped=True)
        raise ValueError(f"expected lists or a graph for inner products, got {type(index).__name__}")

    def save(self, path: Path) -> None:
        faiss.write_index(self.index, str(path))

    def candidates(
        self, queries: Float32, num: int, visited: int, selection: Selection | None = None, num_rows: int = 0
    ) -> Int64:
        """[queries, num] rows in no order that matters, -1 where there are no more; the selection is of `num_rows`."""
        selector = None if selection is None else selector_of(selection, num_rows)
        parameters = self._parameters(visited, selector)
        _, rows = self.index.search(queries, num, params=parameters)
        found: Int64 = rows
        return found

    @property
    @abstractmethod
    def most_visited(self) -> int:
        """As many as there are to visit."""

    @abstractmethod
    def visits(self, queries: Float32, visited: int, selection: Selection, num_rows: int) -> int | None:
        """As many as find, of what is selected, what `visited` would find of everything; None: too many to pay."""

    def add(self, vectors: Float32, rows: Int64) -> None:
        """Each vector is the row of that number, which is a new one."""
        self.index.add_with_ids(vectors, rows)

    @abstractmethod
    def retire(self, rows: Int64) -> None: ...

    @abstractmethod
    def _parameters(self, visited: int, selector: faiss.IDSelector | None) -> Any: ...


class Lists(Structure):
    """A row lies in the list of its nearest centroid; the lists of the centroids nearest to a query are read."""

    forgets = True
    steps = "lists"

    def __init__(self, index: Any, *, is_mapped: bool = False) -> None:
        super().__init__(index, is_mapped=is_mapped)
        self._places: NDArray[np.int32] | None = None

    @property
    def most_visited(self) -> int:
        return int(self.index.nlist)

    def visits(self, queries: Float32, visited: int, selection: Selection, num_rows: int) -> int | None:
        """Lists, nearest first, until as many allowed rows are read as rows are without a filter."""
        num_lists = self.most_visited
        allowed = self._allowed(selection, num_rows)
        wanted = min(visited * num_rows / num_lists, allowed.sum())
        _, nearest = self.index.quantizer.search(queries, num_lists)
        read = np.cumsum(allowed[nearest], axis=1)
        needed = int((read >= wanted).argmax(axis=1).max(initial=0)) + 1
        # to read those costs this many rows, and to score all that is allowed that many
        return needed if needed * num_rows / num_lists < allowed.sum() else None

    def _allowed(self, selection: Selection, num_rows: int) -> Int64:
        """[lists] how many rows of each are allowed."""
        places = self._places_of_rows(num_rows)
        chosen = places[np.unique(selection.rows)]
        named = np.bincount(chosen[chosen >= 0], minlength=self.most_visited)
        if selection.is_allowed:
            return named
        sizes: Int64 = np.bincount(places[places >= 0], minlength=self.most_visited) - named
        return sizes

    def _places_of_rows(self, num_rows: int) -> NDArray[np.int32]:
        """[rows] the list of each, -1 where it was retired."""
        if self._places is None:
            self._places = np.full(num_rows, -1, np.int32)
            lists = self.index.invlists
            for number in range(self.most_visited):
                size = lists.list_size(number)
                if size:
                    rows = faiss.rev_swig_ptr(lists.get_ids(number), size)
                    self._places[rows] = number
        return self._places

    def add(self, vectors: Float32, rows: Int64) -> None:
        super().add(vectors, rows)
        self._places = None

    def retire(self, rows: Int64) -> None:
        self.index.remove_ids(faiss.IDSelectorBatch(rows))
        self._places = None

    def _parameters(self, visited: int, selector: faiss.IDSelector | None) -> Any:
        return vars(faiss)["SearchParametersIVF"](nprobe=min(visited, self.most_visited), sel=selector)


class Graph(Structure):
    forgets = False
    steps = "nodes"

    @property
    def most_visited(self) -> int:
        return int(self.index.ntotal)

    def visits(self, queries: Float32, visited: int, selection: Selection, num_rows: int) -> int | None:  # noqa: ARG002
        """More by as much as less is allowed, and some more for what a filter takes out of the way there."""
        allowed = selection.mask(num_rows).mean()
        needed = int(np.ceil(DETOUR * visited / max(allowed, 1 / num_rows)))
        return needed if allowed >= LEAST_ALLOWED and needed <= MOST_VISITED else None

    def retire(self, rows: Int64) -> None:
        """A graph without some of its nodes is another graph."""

    def _parameters(self, visited: int, selector: faiss.IDSelector | None) -> Any:
        return vars(faiss)["SearchParametersHNSW"](efSearch=visited, sel=selector)
