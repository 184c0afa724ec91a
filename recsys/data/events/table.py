"""Tables as they lie on disk: text left as text, rows that are not rows set aside."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

from recsys.data.events.config import TableConfig
from recsys.data.events.files import find_files, format_of
from recsys.data.events.ids import whole_numbers
from recsys.data.events.json_lines import read_json_lines
from recsys.data.events.separated import read_separated
from recsys.data.events.source import Source, Table, number_rows, require_columns
from recsys.errors import DataError


@dataclass(frozen=True)
class Tables:
    """Several files as one: file n's rows begin at `starts[n]` in `frame`; its Table says what their numbers are."""

    frame: pl.DataFrame
    broken: pl.DataFrame
    files: tuple[Path, ...]
    starts: tuple[int, ...]
    numbers: tuple[NDArray[np.int64] | None, ...]
    warnings: tuple[str, ...]
    is_text: bool
    """Whether none of the files has types of its own."""

    def origin(self, places: NDArray[np.int64]) -> tuple[list[str], NDArray[np.int64]]:
        """The file, and the row's number in it, of the rows at places in `frame`."""
        owners = np.searchsorted(self.starts, places, side="right") - 1
        rows = places - np.array(self.starts)[owners]
        for owner in np.unique(owners):
            rows[owners == owner] = number_rows(rows[owners == owner], self.numbers[owner])
        return [str(self.files[owner]) for owner in owners], rows


def read_tables(location: TableConfig, columns: Sequence[str], what: str) -> Tables:
    """The columns of every file; `what` is the configuration's key. DataError where a file cannot be read."""
    files = find_files(location.path, what)
    wanted = list(dict.fromkeys(columns))
    tables = [_read(file, location, wanted) for file in files]
    heights = [table.frame.height for table in tables]
    return Tables(
        frame=_joined(tables, files),
        broken=pl.concat([table.broken for table in tables]),
        files=tuple(files),
        starts=(0, *accumulate(heights[:-1])),
        numbers=tuple(table.numbers for table in tables),
        warnings=tuple(warning for table in tables for warning in table.warnings),
        is_text=all(format_of(file, location.format) == "csv" for file in files),
    )


def _read(file: Path, location: TableConfig, columns: list[str]) -> Table:
    match format_of(file, location.format):
        case "parquet":
            return _read_parquet(file, columns)
        case "ndjson":
            return read_json_lines(Source(file, location.encoding), columns)
        case _:
            source = Source(file, location.encoding)
            return read_separated(source, columns, separator=location.separator, header=location.header)


def _read_parquet(file: Path, columns: list[str]) -> Table:
    try:
        require_columns(file, columns, list(pl.read_parquet_schema(file)))
        frame = pl.read_parquet(file, columns=columns).select(columns)
        return Table(frame.with_columns(cs.by_dtype(pl.Categorical, pl.Enum).cast(pl.String)))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{file} cannot be read as Parquet: {str(error).splitlines()[0]}") from error


def _joined(tables: list[Table], files: list[Path]) -> pl.DataFrame:
    if len(tables) == 1:
        return tables[0].frame
    return pl.DataFrame([_column(name, tables, files) for name in tables[0].frame.columns])


def _column(name: str, tables: list[Table], files: list[Path]) -> pl.Series:
    """One column of all files; DataError where their types differ by more than a width."""
    known = [
        (table.frame[name], file)
        for table, file in zip(tables, files, strict=True)
        if table.frame.height and table.frame.schema[name] != pl.Null
    ]
    one, first = known[0] if known else (tables[0].frame[name], files[0])
    for other, file in known:
        if other.dtype != one.dtype and not (one.dtype.is_integer() and other.dtype.is_integer()):
            raise DataError(
                f"the column {name!r} is {one.dtype} in {first} and {other.dtype} in {file}; write both in one type"
            )
    columns = [table.frame[name] for table in tables]
    if any(other.dtype != one.dtype for other, _ in known):
        return whole_numbers(pl.concat([column.cast(pl.Int128) for column in columns], rechunk=True))
    return pl.concat([column.cast(one.dtype) for column in columns], rechunk=True)
