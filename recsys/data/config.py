"""The `data` section: the log, the tables of items and users, and the split."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import model_validator

from recsys.data.events.config import EventsConfig
from recsys.data.features_config import ItemTableConfig, UserTableConfig
from recsys.data.split_config import ByTimeConfig, SplitConfig
from recsys.section import Section


class DataConfig(Section):
    events: EventsConfig
    items: ItemTableConfig | None = None
    users: UserTableConfig | None = None
    """What is known of users, for the ranker."""
    split: SplitConfig = ByTimeConfig()
    """by_time where time_kind is calendar, leave_last_out elsewhere."""

    @model_validator(mode="before")
    @classmethod
    def _default_split(cls, values: Any) -> Any:
        """The kind of split that the log's times allow, where none is named."""
        if not isinstance(values, Mapping) or not isinstance(values.get("events"), Mapping):
            return values
        split = values.get("split", {})
        if not isinstance(split, Mapping) or "kind" in split:
            return values
        has_calendar = values["events"].get("time_kind", "calendar") == "calendar"
        return {**values, "split": {"kind": "by_time" if has_calendar else "leave_last_out", **split}}

    @model_validator(mode="after")
    def _time_split_needs_a_calendar(self) -> Self:
        if self.split.kind == "by_time" and self.events.time_kind != "calendar":
            raise ValueError(
                f"data.split.kind by_time needs times of a calendar, and data.events.time_kind is "
                f"{self.events.time_kind}; use leave_last_out"
            )
        return self
