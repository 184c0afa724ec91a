"""Which rows may be found: a filter that takes part in the search, so that no list comes back short for it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.index.vectors import Int64


@dataclass(frozen=True)
class Selection:
    """Only `rows`, or all but them."""

    rows: Int64
    is_allowed: bool

    @classmethod
    def only(cls, rows: "Int64 | Sequence[int]") -> "Selection":
        return cls(np.asarray(rows, dtype=np.int64), is_allowed=True)

    @classmethod
    def without(cls, rows: "Int64 | Sequence[int]") -> "Selection":
        return cls(np.asarray(rows, dtype=np.int64), is_allowed=False)

    @property
    def is_everything(self) -> bool:
        return not self.is_allowed and len(self.rows) == 0

    def check(self, num_rows: int) -> None:
        """ValueError where a row is not one of so many."""
        if self.rows.ndim != 1 or (len(self.rows) and not 0 <= self.rows.min() <= self.rows.max() < num_rows):
            raise ValueError(f"a selection names rows from 0 to {num_rows - 1:,}, one after the other")

    def mask(self, num_rows: int) -> NDArray[np.bool_]:
        """[num_rows] what may be found."""
        mask = np.full(num_rows, not self.is_allowed)
        mask[self.rows] = self.is_allowed
        return mask

    def allows(self, rows: Int64, num_rows: int) -> NDArray[np.bool_]:
        """Whether each of these may be found."""
        if len(self.rows) > rows.size:
            return self.mask(num_rows)[rows]
        named: NDArray[np.bool_] = np.isin(rows, self.rows)
        return named if self.is_allowed else ~named

    def count(self, num_rows: int) -> int:
        """How many may be found."""
        named = len(np.unique(self.rows))
        return named if self.is_allowed else num_rows - named
