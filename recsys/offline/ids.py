"""Columns of ids: a million of them looked up in one step, or read from a file into the type of the log."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.data.vocabulary import INTEGER
from recsys.errors import DataError


def indices_of(wanted: pl.Series, ids: pl.Series) -> NDArray[np.int64]:
    """The index of each wanted id, 0 where it is not among `ids`. Both columns have one type."""
    known = pl.DataFrame({"id": ids, "index": np.arange(1, len(ids) + 1)})
    found = wanted.alias("id").to_frame().join(known, on="id", how="left", maintain_order="left")
    return found["index"].fill_null(0).to_numpy()


@dataclass(frozen=True)
class IdFile:
    """A file whose columns hold ids; every fault is named together with the file."""

    path: Path
    columns: pl.DataFrame
    is_text: bool
    """Whether the file has no types of its own, as a CSV file has none."""

    def column(self, name: str, what: str) -> pl.Series:
        """A column without gaps; DataError says that some rows have no `what`."""
        values = self.columns[name]
        if values.null_count():
            raise DataError(f"{self.path}: {values.null_count():,} rows have no {what}: fill column {name!r}")
        return values

    def typed(self, values: pl.Series, dtype: pl.DataType) -> pl.Series:
        """Ids in the type of the log; DataError where they are of another, or written as none of it is: 01, +2."""
        refused = values
        if self.is_text or _kind(values.dtype) == _kind(dtype):
            typed = values.cast(dtype, strict=False)
            is_typed = typed.is_not_null()
            if self.is_text and dtype.is_integer():
                is_typed &= values.str.contains(f"^{INTEGER}$")
            refused = values.filter(~is_typed)
            if refused.is_empty():
                return typed
        written = ", an integer as 1 and not as 01 or +1" if self.is_text and dtype.is_integer() else ""
        raise DataError(
            f"{self.path}: ids in column {values.name!r} must be {dtype} like those of the log,"
            f" found {refused.first()!r} ({values.dtype}): give ids in the type of the log{written}"
        )


def _kind(dtype: pl.DataType) -> str:
    if dtype.is_integer():
        return "integer"
    if dtype.is_float():
        return "float"
    return "string" if dtype in (pl.String, pl.Categorical, pl.Enum) else str(dtype)
