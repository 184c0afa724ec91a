"""Opens a Parquet or CSV file of users or of histories."""

from difflib import get_close_matches
from pathlib import Path

import polars as pl

from recsys.errors import DataError
from recsys.offline.ids import IdFile

PARQUET = {".parquet", ".pq"}
TEXT = {".csv", ".tsv"}


def open_file(path: Path, columns: list[str]) -> IdFile:
    """These columns of the file; DataError where there is no such file, column or format."""
    if not path.is_file():
        raise DataError(f"no file at {path}: check recommend.users and recommend.histories")
    kind = Path(path.name.removesuffix(".gz")).suffix.lower()
    if kind not in PARQUET | TEXT:
        raise DataError(f"{path}: expected a Parquet or CSV file (.parquet, .csv, .tsv), got {path.suffix!r}")
    try:
        frame = _read_parquet(path) if kind in PARQUET else _read_text(path, "\t" if kind == ".tsv" else ",")
        _demand(path, frame.collect_schema().names(), columns)
        return IdFile(path, frame.select(columns).collect(), is_text=kind in TEXT)
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as {kind[1:]}: {str(error).splitlines()[0]}") from None


def _read_parquet(path: Path) -> pl.LazyFrame:
    return pl.scan_parquet(path, glob=False)


def _read_text(path: Path, separator: str) -> pl.LazyFrame:
    """Every field as text: what is an id's type is for the log to say."""
    return pl.scan_csv(path, separator=separator, infer_schema=False, glob=False)


def _demand(path: Path, found: list[str], wanted: list[str]) -> None:
    for name in wanted:
        if name not in found:
            close = get_close_matches(name, found, n=1) or found[:5]
            raise DataError(
                f"{path} has no column {name!r}, but {', '.join(map(repr, close))}:"
                " name yours in recommend.user_column or recommend.item_column"
            )
