"""The item table: the `data.items` section."""

from typing import Annotated

from pydantic import Field, StringConstraints

from recsys.data.events.config import TableConfig
from recsys.section import Section


class FeatureColumn(Section):
    """A categorical feature: one value an item, or many as a list or as text with a separator."""

    column: str
    separator: Annotated[str, StringConstraints(min_length=1)] | None = None
    """Parts one text into many values, such as "|" in "Comedy|Drama"."""
    is_input: bool = True
    """Whether the model reads it. If not, the evaluation and the report still do."""


class ItemTableConfig(TableConfig):
    item: str = "item_id"
    """The column of ids, of the same type as in the log."""
    title: str | None = None
    """The column of what people call the items."""
    features: tuple[FeatureColumn, ...] = Field(default=(), max_length=64)
    """Categorical columns."""
