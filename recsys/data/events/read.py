"""Reads a click log and hands back what can be relied on: codes, times, and every row that breaks a rule."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.data.events.conditions import rows_that_count
from recsys.data.events.config import EventsConfig
from recsys.data.events.ids import code_ids, id_faults
from recsys.data.events.table import Tables, read_tables
from recsys.data.events.times import OUTSIDE, Times, better_unit, parse_times
from recsys.errors import DataError

REJECTED = {
    "file": pl.String, "row": pl.Int64, "reason": pl.String,
    "user": pl.String, "item": pl.String, "time": pl.String, "text": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Events:
    """[clicks] of users and items as codes from 1 into the sorted ids, times as int64, all in the order of the input.

    `extra` has the other columns that were asked for, row by row. `rejected` has the rows that broke a rule, in the
    words of the log; `filtered` counts those that `data.events.keep` leaves out.
    """

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    times: NDArray[np.int64]
    user_ids: pl.Series
    item_ids: pl.Series
    extra: pl.DataFrame
    rejected: pl.DataFrame
    rows_in: int
    filtered: int
    unit_hint: str
    warnings: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.items)


def read_events(config: EventsConfig, extra_columns: Sequence[str] = ()) -> Events:
    """DataError where the log cannot be read, or has no row that counts."""
    columns = config.columns
    others = [condition.column for condition in config.keep]
    tables = read_tables(
        config, [columns.user, columns.item, columns.time, *others, *extra_columns], "data.events.path"
    )
    frame = tables.frame
    counts = rows_that_count(frame, config.keep).to_numpy()
    users, items = code_ids(frame[columns.user]), code_ids(frame[columns.item])
    times = parse_times(frame[columns.time], config.time_kind, config.time_unit)
    is_fine = (users.codes > 0) & (items.codes > 0) & times.usable
    kept = is_fine & counts
    users, items = (coded.take(kept, is_text_file=tables.is_text) for coded in (users, items))
    rejected = _rejected(tables, np.flatnonzero(~is_fine & counts), config, times)
    return Events(
        users=users.codes,
        items=items.codes,
        times=times.values(kept),
        user_ids=users.ids,
        item_ids=items.ids,
        extra=frame.select(extra_columns).filter(pl.Series(kept)) if extra_columns else pl.DataFrame(),
        rejected=rejected,
        rows_in=frame.height + tables.broken.height,
        filtered=int((~counts).sum()),
        unit_hint=_unit_hint(frame[columns.time], config, rejected["reason"]),
        warnings=tables.warnings,
    )


def _rejected(tables: Tables, places: NDArray[np.int64], config: EventsConfig, times: Times) -> pl.DataFrame:
    """The rows at `places`, in the words of the log, and those that are no rows."""
    bad = pl.Series(places)
    names = {"user": config.columns.user, "item": config.columns.item, "time": config.columns.time}
    raw = {role: tables.frame[name].gather(bad) for role, name in names.items()}
    faults = [id_faults(raw["user"]), id_faults(raw["item"]), times.faults(bad)]
    files, numbers = tables.origin(places)
    rows = pl.DataFrame(
        {
            "file": pl.Series(files, dtype=pl.String),
            "row": numbers,
            "reason": pl.select(pl.coalesce(faults)).to_series(),
            **{role: values.cast(pl.String) for role, values in raw.items()},
        }
    )
    both = pl.concat([rows, tables.broken.with_columns(pl.col("row").cast(pl.Int64))], how="diagonal")
    return both.select(pl.col(name).cast(kind) for name, kind in REJECTED.items())


def _unit_hint(raw: pl.Series, config: EventsConfig, reasons: pl.Series) -> str:
    """What to say where times lie outside a sensible calendar."""
    if not reasons.str.ends_with(OUTSIDE).any():
        return ""
    unit = better_unit(raw, config.time_unit)
    if unit is not None:
        return f"data.events.time_unit is {config.time_unit}, and with {unit} most times would lie in 1990-2100"
    return "set data.events.time_unit, or data.events.time_kind to relative or order if there is no calendar"


def require_events(events: Events, config: EventsConfig) -> None:
    """DataError where too many rows were rejected, or none is left."""
    share = events.rejected.height / max(1, events.rows_in)
    if share > config.max_rejected_share:
        reasons = events.rejected["reason"].value_counts(sort=True).head(3).rows()
        told = "; ".join(f"{reason}: {count:,}" for reason, count in reasons) + _example(events.rejected, reasons[0][0])
        raise DataError(
            f"{events.rejected.height:,} of {events.rows_in:,} rows ({share:.1%}) of {config.path} break a rule, "
            f"more than data.events.max_rejected_share allows ({config.max_rejected_share:.1%}): {told}. "
            f"{events.unit_hint or _remedy(reasons[0][0])}"
        )
    if len(events) == 0:
        left_out = f", {events.filtered:,} of them left out by data.events.keep" if events.filtered else ""
        raise DataError(f"{config.path} has no click to learn from: {events.rows_in:,} rows{left_out}")


def _example(rejected: pl.DataFrame, reason: str) -> str:
    """Where the first row with that fault is, and what stands there."""
    row = rejected.row(by_predicate=None, index=int((rejected["reason"] == reason).arg_max() or 0), named=True)
    words = row["text"] or ", ".join(str(row[name]) for name in ("user", "item", "time"))
    return f" (as in {row['file']}, row {row['row']}: {words[:100]})"


def _remedy(reason: str) -> str:
    if reason.endswith("another encoding"):
        return "Set data.events.encoding, for example to latin-1"
    if reason.endswith("is not a time"):
        return "Write times as numbers, or as ISO 8601 such as 2024-12-31T10:00:00"
    return "Mend the log, or raise the share"
