"""Fields with a separator between them, every one read as text.

Polars is fast and takes a short row for one with nulls, a long one for an error. So what it refuses is read again by
Python's csv module, row by row, and rows with too many or too few fields are set aside.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import chain

import polars as pl

from recsys.data.events.source import BROKEN, Source, Table, require_columns
from recsys.errors import DataError

UNIT_SEPARATOR = "\x1f"
BLANK = pl.all_horizontal(pl.all().is_null())


def read_separated(source: Source, columns: list[str], *, separator: str, header: tuple[str, ...] | None) -> Table:
    """The columns by name; `header` names them all where the file does not."""
    data = source.read().removeprefix(b"\xef\xbb\xbf")
    if len(separator.encode()) > 1:
        data = data.replace(separator.encode(), UNIT_SEPARATOR.encode())
        separator = UNIT_SEPARATOR
    if not data.strip():
        raise DataError(f"{source.path} is empty")
    names = list(header) if header is not None else _first_line(data, separator)
    require_columns(source.path, columns, names)
    warnings = () if data.endswith(b"\n") else (f"{source.path} ends within a line: its last row may be cut off",)
    try:
        frame = _read_fast(data, separator, names, header is not None)
    except pl.exceptions.PolarsError:
        table = _read_exactly(source, data, separator=separator, names=names, skip=0 if header else 1)
        return Table(table.frame.select(columns), table.broken, warnings)
    # a field that a short row lacks is null like an empty one: for the log's own columns both are faults
    return Table(frame.filter(~BLANK).select(columns), warnings=warnings)


def _first_line(data: bytes, separator: str) -> list[str]:
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", errors="replace", newline="")
    return next(csv.reader(text, delimiter=separator))


def _read_fast(data: bytes, separator: str, names: list[str], has_no_header: bool) -> pl.DataFrame:
    quote = None if separator == UNIT_SEPARATOR else '"'
    return pl.read_csv(
        io.BytesIO(data),
        separator=separator,
        quote_char=quote,
        has_header=not has_no_header,
        new_columns=names,
        infer_schema=False,
        encoding="utf8-lossy",
    )


def _read_exactly(source: Source, data: bytes, *, separator: str, names: list[str], skip: int) -> Table:
    rows: list[list[str]] = []
    broken: list[tuple[str, int, str, str]] = []
    for number, row in enumerate(_rows(data, separator, skip), start=1):
        if len(row) == len(names):
            rows.append(row)
        elif row:
            reason = f"{len(row)} fields where the header has {len(names)}"
            broken.append((str(source.path), number, reason, separator.join(row)))
    fields: Sequence[Sequence[str]] = list(zip(*rows, strict=True)) or [()] * len(names)
    frame = pl.DataFrame(
        {name: pl.Series(values, dtype=pl.String).replace("", None) for name, values in zip(names, fields, strict=True)}
    )
    return Table(frame, pl.DataFrame(broken, schema=BROKEN, orient="row"))


def _rows(data: bytes, separator: str, skip: int) -> Iterator[list[str]]:
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", errors="replace", newline="")
    csv.field_size_limit(1 << 30)
    quote = None if separator == UNIT_SEPARATOR else '"'
    reader = csv.reader(text, delimiter=separator, quotechar=quote)
    for _ in range(skip):
        next(reader, None)
    return chain(reader)
