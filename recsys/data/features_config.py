"""The item table: the `data.items` section."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from recsys.data.events.config import Format
from recsys.section import Section


class FeatureColumn(Section):
    """A categorical feature: one value an item, or many as a list or as text with a separator."""

    column: str
    separator: Annotated[str, StringConstraints(min_length=1)] | None = None
    """Parts one text into many values, such as "|" in "Comedy|Drama"."""


class ItemTableConfig(Section):
    path: Path
    """A CSV, Parquet or NDJSON file, a directory, or a glob."""
    format: Format = "auto"
    separator: Annotated[str, StringConstraints(min_length=1)] = ","
    encoding: str = "utf-8"
    header: tuple[str, ...] | None = None
    """CSV: the names of the columns, for files whose first line is data already."""
    item: str = "item_id"
    """The column of ids, of the same type as in the log."""
    title: str | None = None
    """The column of what people call the items."""
    features: tuple[FeatureColumn, ...] = Field(default=(), max_length=64)
    """Categorical columns that the model reads."""
