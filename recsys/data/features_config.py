"""Tables of what is known of items and users: the `data.items` and `data.users` sections."""

from pydantic import Field

from recsys.data.events.config import TableConfig
from recsys.data.feature_column import MAX_FEATURES, FeatureColumn


class TableOfIds(TableConfig):
    features: tuple[FeatureColumn, ...] = Field(default=(), max_length=MAX_FEATURES)
    """Categorical columns."""


class ItemTableConfig(TableOfIds):
    item: str = "item_id"
    """The column of ids, of the same type as in the log."""
    title: str | None = None
    """The column of what people call the items."""


class UserTableConfig(TableOfIds):
    user: str = "user_id"
    """The column of ids, of the same type as in the log."""
