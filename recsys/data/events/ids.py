"""External ids of a column to codes that follow the sorted ids, and vocabularies as columns."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.data.texts import Texts
from recsys.data.vocabulary import INTEGER, NumberVocabulary, TextVocabulary, Vocabulary
from recsys.errors import DataError

BAD_TEXT = "\0|�"


@dataclass(frozen=True)
class Coded:
    """[rows] codes from 1, in the order of the sorted `ids`; 0 where a row has no usable id."""

    codes: NDArray[np.int32]
    ids: pl.Series

    def take(self, rows: NDArray[np.bool_], *, is_text_file: bool) -> "Coded":
        """The chosen rows, and of the ids those that occur in them.

        In a text file, where nothing says what a number is, they are integers if every one is written as one
        ("01" is not).
        """
        codes = self.codes[rows]
        used = np.zeros(len(self.ids) + 1, dtype=bool)
        used[codes] = True
        used[0] = False
        ids = self.ids.filter(pl.Series(used[1:]))
        numbers = _as_integers(ids) if is_text_file else None
        code_of = np.zeros(len(used), dtype=np.int32)
        if numbers is None:
            code_of[used] = np.arange(1, len(ids) + 1)
            return Coded(code_of[codes], ids)
        code_of[np.flatnonzero(used)[numbers.arg_sort().to_numpy()]] = np.arange(1, len(ids) + 1)
        return Coded(code_of[codes], numbers.sort())


def id_faults(raw: pl.Series) -> pl.Series:
    """[rows] why there is no usable id; null where there is one."""
    name = raw.name
    unusable = pl.lit(None, pl.String)
    if raw.dtype == pl.String:
        spoilt = pl.lit(f"{name} holds a NUL or bytes of another encoding")
        unusable = pl.when(pl.lit(raw).str.contains(BAD_TEXT)).then(spoilt)
    elif raw.dtype.is_float():
        unusable = pl.when(pl.lit(raw).is_nan()).then(pl.lit(f"{name} is NaN"))
    is_missing = raw.is_null() | (raw == "") if raw.dtype == pl.String else raw.is_null()
    return pl.select(pl.when(is_missing).then(pl.lit(f"{name} is missing")).otherwise(unusable)).to_series()


def code_ids(raw: pl.Series) -> Coded:
    """Codes of a column of ids; DataError where it is of a type that no id has."""
    kind = raw.dtype
    if kind == pl.String:
        return _code_text(raw)
    if kind == pl.Null:
        return Coded(np.zeros(len(raw), np.int32), pl.Series(raw.name, [], dtype=pl.String))
    if kind.is_integer() or kind.is_float():
        return _code_numbers(raw.fill_nan(None) if kind.is_float() else whole_numbers(raw))
    raise DataError(f"the column {raw.name!r} is {kind}; ids are text or numbers: write it as one of them")


def whole_numbers(raw: pl.Series) -> pl.Series:
    """Integers of any width as Int64, or as UInt64 where one needs it, so that a width is no other type."""
    for kind in (pl.Int64, pl.UInt64):
        cast = raw.cast(kind, strict=False)
        if cast.null_count() == raw.null_count():
            return cast
    raise DataError(f"the column {raw.name!r} has integers below 0 and above 2^63, or above 2^64; write it as text")


def vocabulary_of(ids: pl.Series) -> Vocabulary:
    """Sorted unique ids as a vocabulary of their type."""
    return TextVocabulary(texts_of(ids)) if ids.dtype == pl.String else NumberVocabulary(ids.to_numpy())


def id_column(vocabulary: Vocabulary) -> pl.Series:
    """Every id in the vocabulary's own type; the id of index n + 1 is in row n."""
    if isinstance(vocabulary, NumberVocabulary):
        return pl.Series(np.asarray(vocabulary.ids))
    assert isinstance(vocabulary, TextVocabulary)
    encoded = vocabulary.texts.data.tobytes()
    bounds = pairwise(vocabulary.texts.offsets.tolist())
    return pl.Series([encoded[start:stop].decode() for start, stop in bounds], dtype=pl.String)


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


def _as_integers(ids: pl.Series) -> pl.Series | None:
    """None unless every id is the one way to write some integer of 64 bits."""
    if len(ids) == 0 or not ids.str.contains(f"^{INTEGER}$").all():
        return None
    candidates = (ids.cast(kind, strict=False) for kind in (pl.Int64, pl.UInt64))
    return next((numbers for numbers in candidates if not numbers.null_count()), None)


def _code_numbers(raw: pl.Series) -> Coded:
    ids = raw.unique().drop_nulls().sort()
    codes = raw.rank("dense").fill_null(0).cast(pl.Int32).to_numpy()
    return Coded(codes, ids)
