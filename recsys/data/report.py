"""The data report: what came in, what was kept, what was rejected and why, and what the clicks look like."""

from datetime import UTC, datetime
from typing import Any

import numpy as np

from recsys.data.events.clean import Clicks, tied_with_previous
from recsys.data.events.config import TimeKind
from recsys.data.events.read import Events
from recsys.section import Section

QUANTILES = (0, 5, 25, 50, 75, 95, 100)


class TimeRange(Section):
    """ISO 8601 in UTC, or plain numbers where there is no calendar."""

    first: str
    last: str


class DataReport(Section):
    """Rows in = kept + filtered + rejected + duplicates + rare."""

    rows_in: int
    kept: int
    filtered: int
    """Rows that `data.events.keep` leaves out."""
    rejected: dict[str, int]
    """Rows that break a rule, by reason; they are in rejected.parquet."""
    duplicates: int
    """Rows of one user, item and time with an earlier one."""
    rare: int
    """Clicks left out by `data.events.min_clicks`."""
    users: int
    items: int
    user_id_type: str
    item_id_type: str
    times: TimeRange | None
    ties: int
    """Clicks at the same time as the same user's click before: their order is that of the input."""
    history_lengths: dict[str, int]
    """Quantiles of clicks a user, in percent."""
    item_table_rows: int = 0
    items_in_table: int = 0
    user_table_rows: int = 0
    users_in_table: int = 0
    training_clicks: int = 0
    training_items: int = 0
    validation_users: int = 0
    test_users: int = 0
    warnings: tuple[str, ...] = ()

    def with_facts(self, **facts: Any) -> "DataReport":
        return self.model_copy(update=facts)

    def rows(self) -> list[tuple[str, str]]:
        """What to print: one line a fact, those that are none left out."""
        rejected = [(f"  rejected: {reason}", f"{count:,}") for reason, count in self.rejected.items()]
        times = [] if self.times is None else [("times", f"{self.times.first} to {self.times.last}")]
        lengths = sorted(self.history_lengths.items(), key=lambda pair: int(pair[0].rstrip("%")))
        quantiles = ", ".join(f"{share}: {length:,}" for share, length in lengths)
        items = f"{self.items_in_table:,} of {self.items:,}"
        users = f"{self.users_in_table:,} of {self.users:,}"
        optional = [
            ("  left out by data.events.keep", self.filtered),
            ("  exact duplicates", self.duplicates),
            ("  left out by data.events.min_clicks", self.rare),
        ]
        return [
            ("rows in", f"{self.rows_in:,}"),
            *rejected,
            *((name, f"{count:,}") for name, count in optional if count),
            ("clicks kept", f"{self.kept:,}"),
            ("users", f"{self.users:,} ({self.user_id_type})"),
            ("items", f"{self.items:,} ({self.item_id_type})"),
            *times,
            ("clicks tied in time", f"{self.ties:,}"),
            ("clicks a user, quantiles", quantiles),
            *([("items in the item table", items)] if self.item_table_rows else []),
            *([("users in the user table", users)] if self.user_table_rows else []),
            ("training clicks", f"{self.training_clicks:,} on {self.training_items:,} items"),
            ("users who validate / test", f"{self.validation_users:,} / {self.test_users:,}"),
            *(("warning", warning) for warning in self.warnings),
        ]


def describe(events: Events, distinct: int, clicks: Clicks, kind: TimeKind) -> DataReport:
    """The report on the log alone; `distinct` is how many clicks were left once duplicates had gone."""
    reasons = events.rejected["reason"].value_counts().sort("count", "reason", descending=[True, False])
    lengths = np.unique(clicks.users, return_counts=True)[1]
    quantiles = np.percentile(lengths if len(lengths) else [0], QUANTILES, method="nearest")
    return DataReport(
        rows_in=events.rows_in,
        kept=len(clicks),
        filtered=events.filtered,
        rejected={str(reason): int(count) for reason, count in reasons.rows()},
        duplicates=len(events) - distinct,
        rare=distinct - len(clicks),
        users=len(lengths),
        items=np.count_nonzero(np.bincount(clicks.items)),
        user_id_type=str(events.user_ids.dtype),
        item_id_type=str(events.item_ids.dtype),
        times=_time_range(clicks, kind) if len(clicks) else None,
        ties=int(tied_with_previous(clicks).sum()),
        history_lengths={f"{share}%": int(length) for share, length in zip(QUANTILES, quantiles, strict=True)},
        warnings=events.warnings,
    )


def _time_range(clicks: Clicks, kind: TimeKind) -> TimeRange:
    first, last = int(clicks.times.min()), int(clicks.times.max())
    if kind == "calendar":
        return TimeRange(first=_moment(first), last=_moment(last))
    return TimeRange(first=str(first), last=str(last))


def _moment(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1e6, tz=UTC).isoformat(timespec="seconds")
