"""Vocabularies as columns, so that a million ids are looked up in one step, and columns of ids read into their type."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.data.vocabulary import NumberVocabulary, TextVocabulary, Vocabulary
from recsys.errors import DataError


def id_column(vocabulary: Vocabulary) -> pl.Series:
    """Every id in the vocabulary's own type; the id of index n + 1 is in row n."""
    if isinstance(vocabulary, NumberVocabulary):
        return pl.Series(np.asarray(vocabulary.ids))
    assert isinstance(vocabulary, TextVocabulary)
    encoded = vocabulary.texts.data.tobytes()
    bounds = pairwise(vocabulary.texts.offsets.tolist())
    return pl.Series([encoded[start:stop].decode() for start, stop in bounds], dtype=pl.String)


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
        """Ids in the type of the log; DataError where they are of another."""
        refused = values
        if self.is_text or _kind(values.dtype) == _kind(dtype):
            typed = values.cast(dtype, strict=False)
            refused = values.filter(typed.is_null())
            if refused.is_empty():
                return typed
        raise DataError(
            f"{self.path}: ids in column {values.name!r} must be {dtype} like those of the log,"
            f" found {refused.first()!r} ({values.dtype}): give ids in the type of the log"
        )


def _kind(dtype: pl.DataType) -> str:
    if dtype.is_integer():
        return "integer"
    if dtype.is_float():
        return "float"
    return "string" if dtype in (pl.String, pl.Categorical, pl.Enum) else str(dtype)
