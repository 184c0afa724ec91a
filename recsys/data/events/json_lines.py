"""One JSON object a line. Python's own parser: a line that is none is set aside, and no number changes its type."""

import json
from typing import Any

import polars as pl

from recsys.data.events.source import BROKEN, Source, Table, require_columns
from recsys.errors import DataError

LARGEST = 2**63 - 1


def read_json_lines(source: Source, columns: list[str]) -> Table:
    """The columns by name; an object without one has null there."""
    values: dict[str, list[Any]] = {name: [] for name in columns}
    seen: dict[str, None] = {}
    broken: list[tuple[str, int, str, str]] = []
    for number, line in enumerate(source.read().decode(errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        found = _parsed(line)
        if found is None:
            broken.append((str(source.path), number, "not a JSON object", line))
            continue
        seen.update(dict.fromkeys(found))
        for name, column in values.items():
            column.append(found.get(name))
    if not seen:
        raise DataError(f"{source.path} has no line that is a JSON object")
    require_columns(source.path, columns, list(seen))
    frame = pl.DataFrame([_series(source, name, column) for name, column in values.items()])
    return Table(frame, pl.DataFrame(broken, schema=BROKEN, orient="row"))


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _series(source: Source, name: str, column: list[Any]) -> pl.Series:
    kinds = {type(value) for value in column} - {type(None)}
    if kinds == {int}:
        largest = max(value for value in column if value is not None)
        return pl.Series(name, column, dtype=pl.UInt64 if largest > LARGEST else pl.Int64)
    if kinds <= {int, float} or len(kinds) == 1:
        return pl.Series(name, column)
    told = " and ".join(sorted(kind.__name__ for kind in kinds))
    raise DataError(f"{source.path}: the values of {name!r} are of several types ({told}); write them in one")
