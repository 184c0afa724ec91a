"""Nearest rows by inner product, over FAISS. Knows vectors and row numbers, not items.

FAISS itself takes NaN for a vector, dies of an AssertionError at k = 0, reads past the buffer where the width
is wrong and assertions are off, and answers -1 where it has no row. So what goes in or out is checked here.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsys.durable import json_bytes
from recsys.index.effort import Effort, Statement
from recsys.index.flat import Flat
from recsys.index.selection import Selection
from recsys.index.structures import Structure
from recsys.index.vectors import Float32, Int64, Rows, checked, ranked

# A file's name begins with the index's own.
VECTORS, STATEMENT, STRUCTURE = "vectors.npy", "index.json", "faiss"
# How many neighbours tell what a filter does to a neighbourhood.
NEAR = 100


@dataclass(frozen=True)
class Wanted:
    """What may be found, and what of that a structure has to be told; None is everything."""

    selected: Selection | None
    filtered: Selection | None


class ItemIndex:
    """At least one row, every number in it finite. Scores are exact whatever found the rows, and ties go by row.

    `add` and `retire` change what is found, not what is stated or what was saved.
    """

    def __init__(self, vectors: Float32, statement: Statement, structure: Structure | None = None) -> None:
        self.vectors = vectors
        self.statement = statement
        self.structure = structure
        self._retired = np.zeros(0, np.int64)

    @classmethod
    def exact(cls, vectors: Float32) -> "ItemIndex":
        """Compares a query with every row. Normalise the vectors first where cosine is meant."""
        table = checked_table(vectors)
        return cls(table, Statement(kind="flat", num_rows=len(table), dim=table.shape[1]))

    def __len__(self) -> int:
        """How many rows may be found."""
        return len(self.vectors) - len(self._retired)

    @property
    def dim(self) -> int:
        return int(self.vectors.shape[1])

    @property
    def is_exact(self) -> bool:
        return self.structure is None

    def search(self, queries: Float32, k: int, *, selection: Selection | None = None) -> Rows:
        """The k rows of largest inner product with each query, or all that may be found where there are fewer."""
        return self.search_with(self.statement.effort, queries, k, selection=selection)

    def search_with(
        self, effort: Effort | None, queries: Float32, k: int, *, selection: Selection | None = None
    ) -> Rows:
        """The same with another effort; None compares with every row, whatever the index is."""
        table = self._checked(queries, k)
        selected = self._selected(selection)
        num = min(k, len(self) if selected is None else selected.count(len(self.vectors)))
        if num == 0 or len(table) == 0:
            nothing = np.zeros((len(table), num), np.int64)
            return Rows(nothing, nothing.astype(np.float32), nothing.astype(np.bool_))
        if self.structure is None or effort is None:
            return self._flat.search(table, num, selected)
        # lists have forgotten what was retired
        is_whole = (selection is None or selection.is_everything) and self.structure.forgets
        return self._approximately(effort, table, num, Wanted(selected, None if is_whole else selected))

    def settled(self, queries: Float32, scores: Float32, candidates: Int64, k: int) -> Rows:
        """`search`, of more than k candidates that another exact search has found with these scores, the best first."""
        return self._flat.settled(self._checked(queries, k), scores, candidates, min(k, candidates.shape[1]))

    def add(self, vectors: Float32) -> Int64:
        """The new rows' numbers, which follow those there are. ValueError where the index is mapped from a file."""
        added = checked_table(vectors)
        if added.shape[1] != self.dim:
            raise ValueError(f"vectors must be {self.dim} wide like the index, got shape {vectors.shape}")
        self._check_open()
        rows = np.arange(len(self.vectors), len(self.vectors) + len(added))
        if self.structure is not None:
            self.structure.add(added, rows)
        self._replace(np.concatenate([self.vectors, added]))
        return rows

    def retire(self, rows: Int64) -> None:
        """These are not found again; the others keep their numbers."""
        gone = Selection.only(rows)
        gone.check(len(self.vectors))
        self._check_open()
        if self.structure is not None:
            self.structure.retire(gone.rows)
        self._retired = np.union1d(self._retired, gone.rows)

    def save(self, directory: Path, name: str) -> None:
        if len(self._retired) or len(self.vectors) != self.statement.num_rows:
            raise ValueError("an index that was changed is not what it states: build it again to save it")
        np.save(directory / f"{name}.{VECTORS}", self.vectors, allow_pickle=False)
        (directory / f"{name}.{STATEMENT}").write_bytes(json_bytes(self.statement.model_dump(mode="json")))
        if self.structure is not None:
            self.structure.save(directory / f"{name}.{STRUCTURE}")

    @classmethod
    def open(cls, directory: Path, name: str) -> "ItemIndex":
        """Mapped into memory; ValueError where its files are not one another's. Check their sums first."""
        statement = Statement.read(directory / f"{name}.{STATEMENT}", remedy="publish the bundle again")
        # copied where it is written to, which nobody does: torch refuses what it may not write to
        vectors = np.asarray(np.load(directory / f"{name}.{VECTORS}", mmap_mode="c", allow_pickle=False))
        structure = None if statement.effort is None else Structure.open(directory / f"{name}.{STRUCTURE}")
        shapes = {vectors.shape, (statement.num_rows, statement.dim)}
        if structure is not None:
            shapes.add((structure.index.ntotal, structure.index.d))
        if len(shapes) > 1:
            raise ValueError(f"the files of the index do not belong together: they tell of {sorted(shapes)}")
        return cls(vectors, statement, structure)

    def _approximately(self, effort: Effort, queries: Float32, k: int, wanted: Wanted) -> Rows:
        assert self.structure is not None
        visited: int | None = effort.visited
        if wanted.filtered is not None:
            visited = self.structure.visits(queries, effort.visited, wanted.filtered, len(self.vectors))
        if visited is None:
            return self._flat.search(queries, k, wanted.selected)
        num = min(effort.candidates(k), len(self.vectors))
        candidates = self.structure.candidates(queries, num, visited, wanted.filtered, len(self.vectors))
        best = ranked(queries, self.vectors, candidates, k)
        unsure = ~best.found.all(axis=1)
        if wanted.filtered is not None:
            unsure |= self._lose_their_neighbours(effort, queries, wanted.filtered)
        if unsure.any():
            again = self._flat.search(queries[unsure], k, wanted.selected)
            best.rows[unsure], best.scores[unsure], best.found[unsure] = again.rows, again.scores, again.found
        return best

    def _lose_their_neighbours(self, effort: Effort, queries: Float32, selection: Selection) -> NDArray[np.bool_]:
        """[queries] whether the filter leaves less than three quarters near a query of what it leaves on the whole.

        What there is to find is then unlike what the index was measured with.
        """
        assert self.structure is not None
        num_rows = len(self.vectors)
        near = self.structure.candidates(queries, min(NEAR, num_rows), effort.visited)
        allowed = (selection.allows(near, num_rows) & (near >= 0)).sum(axis=1)
        return 4 * allowed < 3 * (near >= 0).sum(axis=1) * selection.count(num_rows) / num_rows

    def _selected(self, selection: Selection | None) -> Selection | None:
        """What may be found: what is asked for, less what was retired."""
        if selection is not None:
            selection.check(len(self.vectors))
        if len(self._retired) == 0:
            return None if selection is None or selection.is_everything else selection
        if selection is None:
            return Selection.without(self._retired)
        if selection.is_allowed:
            return Selection.only(np.setdiff1d(selection.rows, self._retired))
        return Selection.without(np.union1d(selection.rows, self._retired))

    def _checked(self, queries: Float32, k: int) -> Float32:
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise ValueError(f"k must be an integer of at least 1, got {k!r}")
        table = checked("queries", queries)
        if table.shape[1] != self.dim:
            raise ValueError(f"queries must be {self.dim} wide like the index, got shape {queries.shape}")
        return table

    def _check_open(self) -> None:
        if self.structure is not None and self.structure.is_mapped:
            raise ValueError("an index that is mapped from a file cannot change: build one with build_index")

    def _replace(self, vectors: Float32) -> None:
        self.vectors = vectors
        self.__dict__.pop("_flat", None)

    @cached_property
    def _flat(self) -> Flat:
        return Flat(self.vectors)


def checked_table(vectors: NDArray[np.float32]) -> Float32:
    """The vectors of an index, contiguous; ValueError where there is no number in them, or one that is not finite."""
    table = checked("vectors", vectors)
    if table.size == 0:
        raise ValueError(f"an index needs at least one row and one column, got shape {table.shape}")
    return table
