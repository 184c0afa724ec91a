"""Which rows may be found: a filter that takes part in the search, so that no list comes back short for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recsys.index.vectors import Int64

# So many rows are told apart by a mark for each row there is, fewer by sorting.
FEW = 1_000


@dataclass(frozen=True)
class Selection:
    """Only `rows`, or all but them; ValueError where they are no row numbers, one after the other."""

    rows: Int64
    is_allowed: bool

    def __post_init__(self) -> None:
        rows = self.rows
        if not isinstance(rows, np.ndarray) or rows.ndim != 1 or rows.dtype.kind not in "iu":
            found = f"{rows.dtype} {rows.shape}" if isinstance(rows, np.ndarray) else type(rows).__name__
            raise ValueError(f"a selection names rows by whole numbers, one after the other, got {found}")

    @classmethod
    def only(cls, rows: "Int64 | Sequence[int]") -> "Selection":
        return cls(_whole(rows), is_allowed=True)

    @classmethod
    def without(cls, rows: "Int64 | Sequence[int]") -> "Selection":
        return cls(_whole(rows), is_allowed=False)


class Chosen:
    """A selection of so many rows, less those that were retired; what is asked of it twice is worked out once."""

    def __init__(self, selection: Selection, num_rows: int, retired: Int64) -> None:
        rows = selection.rows
        if len(rows) and not 0 <= rows.min() <= rows.max() < num_rows:
            raise ValueError(f"a selection names rows from 0 to {num_rows - 1:,}, got {rows.min()} to {rows.max()}")
        self.num_rows = num_rows
        self.is_allowed = selection.is_allowed
        self.rows = _different(rows if self.is_allowed else np.concatenate([rows, retired]), num_rows)
        if self.is_allowed and len(retired):
            self.rows = np.setdiff1d(self.rows, retired, assume_unique=True)

    @cached_property
    def bits(self) -> NDArray[np.uint8]:
        """The mask, a bit for each row, the first one lowest."""
        return np.packbits(self.mask, bitorder="little")

    @property
    def count(self) -> int:
        """How many may be found."""
        return len(self.rows) if self.is_allowed else self.num_rows - len(self.rows)

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """[num_rows] what may be found."""
        mask = np.full(self.num_rows, not self.is_allowed)
        mask[self.rows] = self.is_allowed
        return mask

    def allows(self, rows: Int64) -> NDArray[np.bool_]:
        """Whether each of these may be found."""
        if len(self.rows) > FEW:
            return self.mask[rows]
        named: NDArray[np.bool_] = np.isin(rows, self.rows)
        return named if self.is_allowed else ~named

    def between(self, first: int, stop: int) -> "Chosen":
        """Of rows [first, stop), counted from `first`."""
        if (first, stop) == (0, self.num_rows):
            return self
        rows = self.rows[(self.rows >= first) & (self.rows < stop)] - first
        return Chosen(Selection(rows, self.is_allowed), stop - first, np.zeros(0, np.int64))


def _whole(rows: "Int64 | Sequence[int]") -> Int64:
    array = np.asarray(rows)
    return array.astype(np.int64) if array.size == 0 and array.ndim == 1 else array


def _different(rows: Int64, num_rows: int) -> Int64:
    """In their order, each once; NumPy's own way takes a second for a million."""
    if len(rows) <= FEW:
        return np.unique(rows).astype(np.int64)
    marked = np.zeros(num_rows, np.bool_)
    marked[rows] = True
    return np.flatnonzero(marked)
