"""A column that becomes a categorical feature."""

from typing import Annotated

from pydantic import Field, StringConstraints

from recsys.section import Section

MAX_FEATURES = 64


class CategoricalColumn(Section):
    """One value a row, or many as a list or as text with a separator."""

    column: str
    separator: Annotated[str, StringConstraints(min_length=1)] | None = None
    """Parts one text into many values, such as "|" in "Comedy|Drama"."""
    buckets: Annotated[int, Field(ge=2, le=10_000)] | None = None
    """Cuts a column of numbers into so many stretches of as many rows each."""


class FeatureColumn(CategoricalColumn):
    """A categorical feature of an item or a user."""

    is_input: bool = True
    """Whether the model reads it. If not, the evaluation and the report still do."""


class EventColumn(CategoricalColumn):
    """A categorical feature of a click, for the ranker."""

    is_context: bool = False
    """Known before the click, like the device: then the ranker reads it of the click it predicts, too. What is known
    only afterwards, like a rating, it reads of earlier clicks alone."""
