"""External ids of a column to codes that follow the sorted ids."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.data.texts import Texts
from recsys.data.vocabulary import NumberVocabulary, TextVocabulary, Vocabulary
from recsys.errors import DataError

CANONICAL = r"^(0|-?[1-9][0-9]*)$"
BAD_TEXT = "\0|�"


@dataclass(frozen=True)
class Coded:
    """[rows] codes from 1, in the order of the sorted `ids`; 0 where a row has no usable id."""

    codes: NDArray[np.int32]
    ids: pl.Series

    def faults(self, raw: pl.Series) -> pl.Series:
        """[rows] why there is no usable id; null where there is one."""
        unusable = pl.Series(self.codes == 0)
        name = raw.name
        spoilt = f"{name} holds a NUL or bytes of another encoding" if raw.dtype == pl.String else f"{name} is NaN"
        told = (
            pl.when(raw.is_null() | (raw.cast(pl.String) == ""))
            .then(pl.lit(f"{name} is missing"))
            .otherwise(pl.lit(spoilt))
        )
        return pl.select(pl.when(unusable).then(told)).to_series()


def code_ids(raw: pl.Series, *, is_text_file: bool) -> Coded:
    """Codes of a column of ids. In a text file ids are integers if every one is written as one ("01" is not)."""
    kind = raw.dtype
    if isinstance(kind, pl.Categorical | pl.Enum):
        raw, kind = raw.cast(pl.String), pl.String()
    if kind == pl.String:
        coded = _code_text(raw)
        return _as_integers(coded) if is_text_file else coded
    if kind == pl.Null:
        return Coded(np.zeros(len(raw), np.int32), pl.Series(raw.name, [], dtype=pl.String))
    if kind.is_integer() or kind.is_float():
        return _code_numbers(raw.fill_nan(None) if kind.is_float() else raw)
    raise DataError(f"the column {raw.name!r} is {kind}; ids are text or numbers: write it as one of them")


def vocabulary_of(ids: pl.Series) -> Vocabulary:
    """Sorted unique ids as a vocabulary of their type."""
    return TextVocabulary(texts_of(ids)) if ids.dtype == pl.String else NumberVocabulary(ids.to_numpy())


def texts_of(series: pl.Series) -> Texts:
    """A column of text without nulls, as bytes and offsets."""
    ends = np.concatenate([[0], np.cumsum(series.str.len_bytes().to_numpy(), dtype=np.int64)])
    return Texts(np.frombuffer("".join(series.to_list()).encode(), dtype=np.uint8), ends.astype(np.int64))


def _code_text(raw: pl.Series) -> Coded:
    category = raw.cast(pl.Categorical(pl.Categories.random()))
    unique = category.unique().drop_nulls()
    table = pl.DataFrame({"id": unique.cast(pl.String), "place": unique.to_physical()}).sort("id")
    table = table.filter((pl.col("id") != "") & ~pl.col("id").str.contains(BAD_TEXT))
    code_of = np.zeros(1 + int(unique.to_physical().max() or 0) + 1, dtype=np.int32)  # type: ignore[arg-type]
    code_of[table["place"].to_numpy()] = np.arange(1, table.height + 1)
    places = category.to_physical().fill_null(len(code_of) - 1).to_numpy()
    return Coded(code_of[places], table["id"].rename(raw.name))


def _as_integers(coded: Coded) -> Coded:
    ids = coded.ids
    if len(ids) == 0 or not ids.str.contains(CANONICAL).all():
        return coded
    numbers = ids.cast(pl.Int64, strict=False)
    if numbers.null_count():
        numbers = ids.cast(pl.UInt64, strict=False)
    if numbers.null_count():
        return coded
    order = numbers.arg_sort().to_numpy()
    code_of = np.zeros(len(ids) + 1, dtype=np.int32)
    code_of[order + 1] = np.arange(1, len(ids) + 1)
    return Coded(code_of[coded.codes], numbers.sort())


def _code_numbers(raw: pl.Series) -> Coded:
    ids = raw.unique().drop_nulls().sort()
    codes = raw.rank("dense").fill_null(0).cast(pl.Int32).to_numpy()
    return Coded(codes, ids)
