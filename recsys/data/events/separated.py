"""Fields with a separator between them, every one read as text.

Polars takes a short row for one with nulls, and a quote that is never closed for a field that goes on. So what a row
is, is decided here, line by line: Polars reads the lines that are rows beyond doubt, Python's csv module the few with
quotes of their own kind, and what is no row is set aside.
"""

import csv
import io
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.data.events.lines import Lines
from recsys.data.events.source import BROKEN, Source, Table, require_columns
from recsys.errors import DataError

UNIT_SEPARATOR = "\x1f"
LONGEST = 1000
"""Lines that one quoted field may span."""
SHOWN = 1000
"""Characters of a broken row that are kept."""

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Dialect:
    """How a line is parted. Polars knows separators of one byte: a longer one is replaced by `mark`.

    Fields are quoted where the separator is one byte.
    """

    separator: str

    @property
    def quoted(self) -> bool:
        return len(self.separator.encode()) == 1

    @property
    def mark(self) -> str:
        return self.separator if self.quoted else UNIT_SEPARATOR

    def translated(self, data: bytes) -> bytes:
        return data if self.quoted else data.replace(self.separator.encode(), self.mark.encode())

    def fields(self, text: str) -> list[str] | None:
        """The fields of one record; None where its quotes break the rules."""
        if not self.quoted:
            return text.split(self.mark)
        try:
            records = list(csv.reader(io.StringIO(text, newline="\n"), delimiter=self.mark, strict=True))
        except csv.Error:
            return None
        return records[0] if len(records) == 1 else None


def read_separated(source: Source, columns: list[str], *, separator: str, header: tuple[str, ...] | None) -> Table:
    """The columns by name; `header` names them all where the file does not."""
    data = source.read()
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    if not data.strip():
        return Table(pl.DataFrame(schema=dict.fromkeys(columns, pl.String)), warnings=(f"{source.path} is empty",))
    warnings = () if data.endswith(b"\n") else (f"{source.path} ends within a line: its last row may be cut off",)
    dialect = Dialect(separator)
    lines = Lines.of(dialect.translated(data), dialect.mark, quoted=dialect.quoted)
    begin = 0
    if header is None:
        begin = int(np.argmin(lines.blank)) + 1
        header = tuple(dialect.fields(lines.text(begin - 1, begin - 1)) or ())
        _require_separator(source, header, separator)
    require_columns(source.path, columns, header)
    rows = _Rows(source.path, dialect, lines, begin, len(header))
    return rows.table([header.index(name) for name in columns], columns, warnings)


def _require_separator(source: Source, header: tuple[str, ...], separator: str) -> None:
    """DataError where a header of one column looks like several behind another separator."""
    other = next((mark for mark in "\t;|," if len(header) == 1 and mark in header[0] and mark != separator), None)
    if other is not None:
        raise DataError(
            f"{source.path} has one column {header[0][:80]!r} where {separator!r} separates; set separator to {other!r}"
        )


@dataclass
class _Rows:
    """The lines from `begin` on, to be parted into rows of `width` fields and what is none."""

    file: Path
    dialect: Dialect
    lines: Lines
    begin: int
    width: int

    def __post_init__(self) -> None:
        self.undecided = ~self.lines.blank
        self.undecided[: self.begin] = False
        self.records: dict[int, list[str]] = {}
        """What Polars does not read: the line where a record begins, and its fields."""
        self.broken: list[tuple[str, int, str, str]] = []

    def table(self, places: list[int], columns: list[str], warnings: tuple[str, ...]) -> Table:
        self._pair_quotes()
        right = self.undecided & (self.lines.fields == self.width)
        for line in np.flatnonzero(self.undecided & ~right).tolist():
            self._reject(line, int(self.lines.fields[line]))
        try:
            frame = self._read(right, places, columns)
        except pl.exceptions.PolarsError:
            for line in np.flatnonzero(right & (self.lines.quotes > 0)).tolist():
                if not self._is_row(line, line):
                    self._reject(line, None)
            right &= self.lines.quotes == 0
            frame = self._read(right, places, columns)
        return self._joined(frame, np.flatnonzero(right), places, warnings)

    def _pair_quotes(self) -> None:
        """A line with an odd number of quotes goes on to the next such line, if together they are a row."""
        odd = deque(np.flatnonzero(self.undecided & (self.lines.quotes % 2 == 1)).tolist())
        while odd:
            first = odd.popleft()
            if self._is_row(first, first):
                continue
            if odd and odd[0] - first <= LONGEST and self._is_row(first, odd[0]):
                odd.popleft()
            else:
                self._reject(first, None)

    def _is_row(self, first: int, last: int) -> bool:
        """Takes the lines from first to last for one record, if they are one."""
        fields = self.dialect.fields(self.lines.text(first, last))
        if fields is None or len(fields) != self.width:
            return False
        self.records[first] = fields
        self.undecided[first : last + 1] = False
        return True

    def _reject(self, line: int, found: int | None) -> None:
        """Sets one line aside; `found` is its number of fields, or None where its quotes are at fault."""
        reason = "quotes that do not pair up" if found is None else f"{found} fields where there should be {self.width}"
        text = self.lines.text(line, line).replace(self.dialect.mark, self.dialect.separator)
        self.broken.append((str(self.file), line - self.begin + 1, reason, text[:SHOWN]))
        self.undecided[line] = False

    def _read(self, chosen: NDArray[np.bool_], places: list[int], columns: list[str]) -> pl.DataFrame:
        schema = {str(place): pl.String for place in range(self.width)}
        names = [pl.col(str(place)).alias(name) for place, name in zip(places, columns, strict=True)]
        if not chosen.any():
            return pl.DataFrame(schema=schema).select(names)
        is_whole = chosen[self.begin :].all()
        frame = pl.read_csv(
            self.lines.data if is_whole else self.lines.only(chosen),
            skip_lines=self.begin if is_whole else 0,
            has_header=False,
            schema=schema,
            columns=sorted(places),
            separator=self.dialect.mark,
            quote_char='"' if self.dialect.quoted else None,
            encoding="utf8-lossy",
        )
        assert frame.height == chosen.sum(), f"{frame.height} rows of {chosen.sum()} lines in {self.file}"
        return frame.select(names)

    def _joined(self, frame: pl.DataFrame, at: Int64, places: list[int], warnings: tuple[str, ...]) -> Table:
        """What Polars read, at the lines `at`, and the other records, in the order of the file."""
        if self.records:
            others = [[fields[place] or None for place in places] for fields in self.records.values()]
            frame = pl.concat([frame, pl.DataFrame(others, schema=frame.schema, orient="row")])
            at = np.concatenate([at, np.array(list(self.records))])
            order = np.argsort(at)
            frame, at = frame[order], at[order]
        numbers = at - self.begin + 1
        is_plain = len(numbers) == 0 or numbers[-1] == len(numbers)
        broken = pl.DataFrame(self.broken, schema=BROKEN, orient="row").sort("row")
        return Table(frame, broken, warnings, None if is_plain else numbers)
