"""Nearest rows by inner product, over FAISS. Knows vectors and row numbers, not items.

FAISS itself takes NaN for a vector, dies of an AssertionError at k = 0, reads past the buffer where the width
is wrong and assertions are off, and answers -1 where it has no row. So what goes in or out is checked here.
"""

from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsys.durable import json_bytes, sha256_of
from recsys.index.effort import Effort, SavedIndex, Statement
from recsys.index.flat import Flat
from recsys.index.selection import Chosen, Selection
from recsys.index.structures import Structure
from recsys.index.vectors import Float32, Int64, Rows, checked, joined, ranked

# A file's name begins with the index's own.
VECTORS, STATEMENT, STRUCTURE = "vectors.npy", "index.json", "faiss"
# How many neighbours tell what a filter does to a neighbourhood.
NEAR = 100
NOTHING = np.zeros(0, np.int64)


class ItemIndex:
    """At least one row, every number in it finite. Scores are exact, whatever found the rows.

    Ties go by row: among all rows where the search is exact, else among those that were found. `add` and `retire`
    change what is found, not what is stated. Added rows are compared one by one: build anew when they are many.
    """

    def __init__(self, vectors: Float32, statement: Statement, structure: Structure | None = None) -> None:
        self.vectors = vectors
        self.statement = statement
        self.structure = structure
        self._retired = NOTHING
        self._last: tuple[Selection | None, Chosen] = None, Chosen(Selection.without(NOTHING), len(vectors), NOTHING)

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

    @property
    def is_changed(self) -> bool:
        """Whether rows were added or retired."""
        return len(self._retired) > 0 or len(self.vectors) != self.statement.num_rows

    def search(self, queries: Float32, k: int, *, selection: Selection | None = None) -> Rows:
        """The k rows of largest inner product with each query, or all that may be found where there are fewer."""
        return self.search_with(self.statement.effort, queries, k, selection=selection)

    def search_with(
        self, effort: Effort | None, queries: Float32, k: int, *, selection: Selection | None = None
    ) -> Rows:
        """The same with another effort; None compares with every row, whatever the index is."""
        table = self._checked(queries, k)
        chosen = self._chosen(selection)
        num = min(int(k), len(self) if chosen is None else chosen.count)
        if num == 0 or len(table) == 0:
            nothing = np.zeros((len(table), num), np.int64)
            return Rows(nothing, nothing.astype(np.float32), nothing.astype(np.bool_))
        if self.structure is None or effort is None:
            return self._flat.search(table, num, chosen)
        if chosen is None:
            return self._approximately(effort, table, num)
        visits = self.structure.visits(table, effort.visited, chosen.between(0, self.statement.num_rows))
        parts = [
            (own, self._visiting(int(visited), effort, table[own], num, chosen))
            for visited in np.unique(visits)
            for own in [np.flatnonzero(visits == visited)]
        ]
        return joined(parts, len(table), num)

    def near(self, row: int, k: int) -> list[tuple[float, int]]:
        """(score, row) of the k nearest of one of its own unit rows, itself left out, best first.

        What `search` answers, in a fraction of the time that arrays take for one query.
        """
        query, effort, num = self.vectors[row : row + 1], self.statement.effort, min(k + 1, len(self))
        if self.structure is None or effort is None:
            candidates, bound = self._flat.near(row, num)
        else:
            fetched = min(effort.candidates(num), len(self.vectors))
            candidates, bound = self.structure.candidates(query, fetched, effort.visited)[0], -np.inf
        scores = (self.vectors.take(candidates, axis=0) * query).sum(axis=1)
        best = sorted(
            (-score, own) for score, own in zip(scores.tolist(), candidates.tolist(), strict=True) if own >= 0
        )
        # what was retired may be among them, or what was not fetched be as near
        if self.is_changed or len(best) < num or bound >= -best[num - 1][0]:
            found = self.search(query, num)
            best = [(-float(score), int(own)) for score, own in zip(found.scores[0], found.rows[0], strict=True)]
        return [(-score, own) for score, own in best[:num] if own != row][:k]

    def settled(self, queries: Float32, scores: Float32, candidates: Int64, k: int) -> Rows:
        """`search`, of more than k candidates that another exact search has found with these scores, the best first.

        Of an index that was not changed: ValueError otherwise.
        """
        if self.is_changed:
            raise ValueError("another search does not know what was retired: ask the index")
        return self._flat.settled(self._checked(queries, k), scores, candidates, min(k, candidates.shape[1]))

    def add(self, vectors: Float32) -> Int64:
        """The new rows' numbers, which follow those there are."""
        added = checked_table(vectors)
        if added.shape[1] != self.dim:
            raise ValueError(f"vectors must be {self.dim} wide like the index, got shape {vectors.shape}")
        first = len(self.vectors)
        self.vectors = np.concatenate([self.vectors, added])
        for cached in ("_flat", "_added"):
            self.__dict__.pop(cached, None)
        return np.arange(first, len(self.vectors))

    def retire(self, rows: Int64) -> None:
        """These are not found again; the others keep their numbers."""
        gone = Chosen(Selection.only(rows), len(self.vectors), NOTHING)
        self._retired = np.union1d(self._retired, gone.rows)
        self._last = None, gone

    def save(self, directory: Path, name: str) -> None:
        if self.is_changed:
            raise ValueError("an index that was changed is not what it states: build it again to save it")
        np.save(directory / f"{name}.{VECTORS}", self.vectors, allow_pickle=False)
        parts = [VECTORS]
        if self.structure is not None:
            self.structure.save(directory / f"{name}.{STRUCTURE}")
            parts.append(STRUCTURE)
        saved = SavedIndex(
            statement=self.statement, sha256={part: sha256_of(directory / f"{name}.{part}") for part in parts}
        )
        (directory / f"{name}.{STATEMENT}").write_bytes(json_bytes(saved.model_dump(mode="json")))

    @classmethod
    def open(cls, directory: Path, name: str, *, is_verified: bool = False) -> "ItemIndex":
        """Mapped into memory; ValueError where its files are damaged or not one another's.

        `is_verified`: somebody has checked their sums, so that it need not be done again.
        """
        try:
            saved = SavedIndex.model_validate_json((directory / f"{name}.{STATEMENT}").read_bytes())
            for part, expected in saved.sha256.items():
                if not is_verified and sha256_of(directory / f"{name}.{part}") != expected:
                    raise ValueError(f"{name}.{part} is not what was saved")
            # copied where it is written to, which nobody does: torch refuses what it may not write to
            mapped = np.load(directory / f"{name}.{VECTORS}", mmap_mode="c", allow_pickle=False)
        except (OSError, EOFError) as error:
            raise ValueError(f"an index is a statement, vectors and what FAISS saved: {error}") from None
        structure = Structure.open(directory / f"{name}.{STRUCTURE}") if STRUCTURE in saved.sha256 else None
        return cls(np.asarray(mapped), saved.statement, structure)

    def _visiting(self, visited: int, effort: Effort, queries: Float32, k: int, chosen: Chosen) -> Rows:
        """Of a filtered search, queries that visit as much; 0: everything."""
        if visited == 0:
            return self._flat.search(queries, k, chosen)
        return self._approximately(effort.model_copy(update={"visited": visited}), queries, k, chosen)

    def _approximately(self, effort: Effort, queries: Float32, k: int, chosen: Chosen | None = None) -> Rows:
        assert self.structure is not None
        num = min(effort.candidates(k), self.statement.num_rows)
        within = None if chosen is None else chosen.between(0, self.statement.num_rows)
        candidates = self.structure.candidates(queries, num, effort.visited, within)
        if len(self.vectors) > self.statement.num_rows:
            candidates = np.concatenate([candidates, self._among_added(queries, k, chosen)], axis=1)
        best = ranked(queries, self.vectors, candidates, k)
        unsure = ~best.found.all(axis=1) if best.found.shape[1] == k else np.ones(len(queries), np.bool_)
        if within is not None:
            unsure |= self._lose_their_neighbours(queries, within)
        if not unsure.any():
            return best
        sure = np.flatnonzero(~unsure)
        again = self._flat.search(queries[unsure], k, chosen)
        return joined([(np.flatnonzero(unsure), again), (sure, best.rows_of(sure))], len(queries), k)

    def _among_added(self, queries: Float32, k: int, chosen: Chosen | None) -> Int64:
        """[queries, at most k] the best of the rows that the structure does not have, each of which is compared."""
        first, stop = self.statement.num_rows, len(self.vectors)
        own = None if chosen is None else chosen.between(first, stop)
        num = min(k, stop - first if own is None else own.count)
        if num == 0:
            return np.zeros((len(queries), 0), np.int64)
        best = self._added.search(queries, num, own)
        return np.where(best.found, best.rows + first, -1)

    def _lose_their_neighbours(self, queries: Float32, within: Chosen) -> NDArray[np.bool_]:
        """[queries] whether the filter leaves less than three quarters near a query of what it leaves on the whole.

        What there is to find is then unlike what the index was measured with.
        """
        assert self.structure is not None and self.statement.effort is not None
        near = self.structure.candidates(queries, min(NEAR, within.num_rows), self.statement.effort.visited)
        allowed = (within.allows(near) & (near >= 0)).sum(axis=1)
        return 4 * allowed < 3 * (near >= 0).sum(axis=1) * within.count / within.num_rows

    def _chosen(self, selection: Selection | None) -> Chosen | None:
        """What may be found, where that is not everything."""
        if selection is None and len(self._retired) == 0:
            return None
        if selection is not None and not isinstance(selection, Selection):
            raise ValueError(f"a selection is Selection.only(rows) or Selection.without(rows), got {selection!r}")
        asked = Selection.without(NOTHING) if selection is None else selection
        known, chosen = self._last
        if known is not asked or chosen.num_rows != len(self.vectors):
            chosen = Chosen(asked, len(self.vectors), self._retired)
            self._last = asked, chosen  # the next query is likely to be asked with the same one
        return chosen if chosen.is_allowed or len(chosen.rows) else None

    def _checked(self, queries: Float32, k: int) -> Float32:
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise ValueError(f"k must be an integer of at least 1, got {k!r}")
        table = checked("queries", queries)
        if table.shape[1] != self.dim:
            raise ValueError(f"queries must be {self.dim} wide like the index, got shape {queries.shape}")
        return table

    @cached_property
    def _flat(self) -> Flat:
        return Flat(self.vectors)

    @cached_property
    def _added(self) -> Flat:
        return Flat(self.vectors[self.statement.num_rows :])


def checked_table(vectors: NDArray[np.float32]) -> Float32:
    """The vectors of an index, contiguous; ValueError where there is no number in them, or one that is not finite."""
    table = checked("vectors", vectors)
    if table.size == 0:
        raise ValueError(f"an index needs at least one row and one column, got shape {table.shape}")
    return table
