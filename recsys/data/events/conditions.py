"""Which rows a condition holds for: `data.events.keep`, and the values that mean test."""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from recsys.data.events.config import Operator, RowFilter
from recsys.errors import ConfigError

COMPARE: dict[Operator, Callable[[Any, Any], pl.Series]] = {
    "==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
}  # fmt: skip


def rows_that_count(frame: pl.DataFrame, conditions: Sequence[RowFilter]) -> pl.Series:
    """[rows] whether every condition holds; a row without a value meets none."""
    counts = pl.repeat(True, frame.height, eager=True)
    for condition in conditions:
        counts &= holds(frame[condition.column], condition, "data.events.keep")
    return counts


def holds(values: pl.Series, condition: RowFilter, key: str) -> pl.Series:
    """[rows] whether the condition does, never null; `key` is the configuration's."""
    return _compared(values, condition, key).fill_null(False)


def _compared(values: pl.Series, condition: RowFilter, key: str) -> pl.Series:
    wanted = condition.value
    compare = COMPARE[condition.operator]
    if isinstance(wanted, bool):
        truth = values if values.dtype == pl.Boolean else _truth(values)
        return compare(truth, wanted)
    if isinstance(wanted, int | float):
        return compare(values.cast(pl.Float64, strict=False).fill_nan(None), float(wanted))
    if values.dtype != pl.String:
        raise ConfigError(
            f"{key}: the column {condition.column!r} is {values.dtype}, and {wanted!r} is text; "
            f"compare it with a value of its own type"
        )
    return compare(values, wanted)


def _truth(values: pl.Series) -> pl.Series:
    text = values.cast(pl.String).str.to_lowercase()
    return text.replace_strict(
        {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False},
        default=None,
        return_dtype=pl.Boolean,
    )
