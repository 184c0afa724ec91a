"""Where the click log is, and how it is to be read: the `data.events` section."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt, StringConstraints

from recsys.data.feature_column import MAX_FEATURES, EventColumn
from recsys.section import Section

TimeKind = Literal["calendar", "relative", "order"]
TimeUnit = Literal["d", "h", "min", "s", "ms", "us", "ns"]
Format = Literal["auto", "csv", "parquet", "ndjson"]
Operator = Literal["==", "!=", ">=", "<=", ">", "<"]


def _unescaped(text: str) -> str:
    """A tab, as it is typed in a shell."""
    return text.replace("\\t", "\t")


class TableConfig(Section):
    """Where a table lies, and what its files are like."""

    path: Path
    """A file, a directory of files, or a glob."""
    format: Format = "auto"
    """auto: by the files' names (.csv, .tsv, .txt, .dat; .parquet; .ndjson, .jsonl; each may end in .gz)."""
    separator: Annotated[str, StringConstraints(min_length=1), AfterValidator(_unescaped)] = ","
    """CSV: what separates the fields, one character or more, such as "::"."""
    encoding: str = "utf-8"
    """CSV and NDJSON: any encoding that Python knows."""
    header: tuple[str, ...] | None = None
    """CSV: the names of the columns, for files whose first line is data already."""


class ColumnsConfig(Section):
    """What the log's columns are called."""

    user: str = "user_id"
    item: str = "item_id"
    time: str = "timestamp"
    label: str | None = None
    """Whether what was shown was clicked, or liked: 0 or 1, for the ranker. Every row is in the user's history."""


class RowFilter(Section):
    """Rows that count: those whose `column` compares so with `value`; rows without a value do not."""

    column: str
    operator: Operator = ">="
    value: bool | int | float | str


class MinClicksConfig(Section):
    """Items, then users, with fewer clicks are left out. By time, test clicks do not count for an item."""

    per_item: PositiveInt = 1
    per_user: PositiveInt = 1
    until_stable: bool = True
    """Again and again until nothing is left to leave out; false: once, items first."""


class EventsConfig(TableConfig):
    columns: ColumnsConfig = ColumnsConfig()
    time_kind: TimeKind = "calendar"
    """calendar: a clock. relative: gaps mean something, dates do not. order: only the order means something."""
    time_unit: TimeUnit = "s"
    """What a number in a calendar or relative time counts; dates and ISO texts need none."""
    keep: tuple[RowFilter, ...] = ()
    """Conditions that a row must meet, every one of them: [{column: rating, operator: ">=", value: 4}]."""
    min_clicks: MinClicksConfig = MinClicksConfig()
    features: tuple[EventColumn, ...] = Field(default=(), max_length=MAX_FEATURES)
    """Categorical columns of the log itself, for the ranker."""
    max_rejected_share: float = Field(default=0.01, ge=0.0, le=1.0)
    """A larger share of rows that break a rule stops the run."""
