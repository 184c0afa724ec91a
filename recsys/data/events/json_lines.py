"""One JSON object a line. Python's own parser: a line that is none is set aside, and no number changes its type."""

import json
import math
from typing import Any

import numpy as np
import polars as pl

from recsys.data.events.source import BROKEN, Source, Table, require_columns
from recsys.errors import DataError

SIGNED, UNSIGNED = range(-(2**63), 2**63), range(2**64)
SHOWN = 1000
"""Characters of a broken line that are kept."""


def read_json_lines(source: Source, columns: list[str]) -> Table:
    """The columns by name; an object without one has null there."""
    values: dict[str, list[Any]] = {name: [] for name in columns}
    seen: dict[str, None] = {}
    broken: list[tuple[str, int, str, str]] = []
    numbers: list[int] = []
    for number, line in enumerate(source.read().splitlines(), start=1):
        if not line.strip():
            continue
        found = _parsed(line)
        if found is None:
            broken.append((str(source.path), number, "not a JSON object", line[:SHOWN].decode(errors="replace")))
            continue
        numbers.append(number)
        seen.update(dict.fromkeys(found))
        for name, column in values.items():
            column.append(found.get(name))
    if seen:
        require_columns(source.path, columns, list(seen))
    frame = pl.DataFrame([_series(source, name, column) for name, column in values.items()])
    return Table(frame, pl.DataFrame(broken, schema=BROKEN, orient="row"), numbers=np.array(numbers, dtype=np.int64))


def _parsed(line: bytes) -> dict[str, Any] | None:
    """None where the line is no JSON object, or has half of a surrogate pair."""
    text = line.decode(errors="replace")
    try:
        found = json.loads(text)
        if "\\u" in text:
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _series(source: Source, name: str, column: list[Any]) -> pl.Series:
    kinds = {type(value) for value in column} - {type(None)}
    if kinds == {int}:
        return _whole_numbers(source, name, column)
    if kinds == {int, float}:
        return pl.Series(name, [None if value is None else _as_float(value) for value in column], dtype=pl.Float64)
    if len(kinds) <= 1:
        return pl.Series(name, column)
    told = " and ".join(sorted(kind.__name__ for kind in kinds))
    raise DataError(f"{source.path}: the values of {name!r} are of several types ({told}); write them in one")


def _whole_numbers(source: Source, name: str, column: list[Any]) -> pl.Series:
    given = [value for value in column if value is not None]
    least, largest = min(given), max(given)
    for kind, span in ((pl.Int64, SIGNED), (pl.UInt64, UNSIGNED)):
        if least in span and largest in span:
            return pl.Series(name, column, dtype=kind)
    raise DataError(
        f"{source.path}: the values of {name!r} run from {least} to {largest}, which is more than 64 bits hold; "
        f"write them as text"
    )


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
