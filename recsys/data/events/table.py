"""Tables as they lie on disk: text left as text, rows that are not rows set aside."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

from recsys.data.events.config import Format
from recsys.data.events.files import find_files, format_of
from recsys.data.events.json_lines import read_json_lines
from recsys.data.events.separated import read_separated
from recsys.data.events.source import Source, Table, require_columns
from recsys.errors import DataError


class Location(Protocol):
    """What the log's and the item table's configuration have in common."""

    @property
    def path(self) -> Path: ...
    @property
    def format(self) -> Format: ...
    @property
    def separator(self) -> str: ...
    @property
    def encoding(self) -> str: ...
    @property
    def header(self) -> tuple[str, ...] | None: ...


@dataclass(frozen=True)
class Tables:
    """Several files as one: `starts[n]` is where file n's rows begin in `frame`."""

    frame: pl.DataFrame
    broken: pl.DataFrame
    files: tuple[Path, ...]
    starts: tuple[int, ...]
    warnings: tuple[str, ...]


def read_tables(location: Location, columns: Sequence[str], what: str) -> Tables:
    """The columns of every file; `what` is the configuration's key. DataError where a file cannot be read."""
    files = find_files(location.path, what)
    wanted = list(dict.fromkeys(columns))
    tables = [_read(file, location, wanted) for file in files]
    starts, rows = [], 0
    for table in tables:
        starts.append(rows)
        rows += table.frame.height
    return Tables(
        frame=_joined(tables, files),
        broken=pl.concat([table.broken for table in tables]),
        files=tuple(files),
        starts=tuple(starts),
        warnings=tuple(warning for table in tables for warning in table.warnings),
    )


def _read(file: Path, location: Location, columns: list[str]) -> Table:
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
        return Table(pl.read_parquet(file, columns=columns).select(columns))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{file} cannot be read as Parquet: {str(error).splitlines()[0]}") from error


def _joined(tables: list[Table], files: list[Path]) -> pl.DataFrame:
    first = tables[0].frame
    for table, file in zip(tables, files, strict=True):
        for name in first.columns:
            one, other = first.schema[name], table.frame.schema[name]
            if one != other and pl.Null not in (one, other) and not (one.is_integer() and other.is_integer()):
                raise DataError(
                    f"the column {name!r} is {one} in {files[0]} and {other} in {file}; write both in one type"
                )
    return pl.concat([table.frame for table in tables], how="vertical_relaxed", rechunk=True)
