"""What may be asked, and what is answered. Strict: no unknown field, no number for a truth value, nothing infinite."""

from functools import cached_property
from typing import Annotated, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from recsys.serving.values import MOST_TEXT, MOST_VALUES, integer, item_id, told_of_user

MOST_ITEMS, MOST_K, MOST_REQUESTS = 10_000, 1_000, 256
"""Ids of a list, the k of a request, requests of a batch."""
MOST_QUERY = 100
"""Letters of a search."""
MOST_ANSWERED, REASONED = 100_000, 20
"""Items of all lists of an answer, and for how many an item counts that comes with reasons."""

Text = Annotated[str, StringConstraints(max_length=MOST_TEXT)]
ItemId = TypeAliasType(
    "ItemId", Annotated[str | int | float, PlainValidator(item_id, json_schema_input_type=Text | int | float)]
)
KnownId = TypeAliasType("KnownId", str | int | float)
"""A catalogue's own, however long."""
Items = Annotated[list[ItemId], Field(max_length=MOST_ITEMS, fail_fast=True)]
K = Annotated[int, Field(ge=1, le=MOST_K), BeforeValidator(integer)]
UserValue = str | bool | int | float
UserValues = UserValue | Annotated[list[UserValue], Field(max_length=MOST_VALUES)]
User = TypeAliasType(
    "User",
    Annotated[
        dict[Text, Annotated[UserValues, PlainValidator(told_of_user, json_schema_input_type=UserValues)]],
        Field(max_length=MOST_VALUES),
    ],
)
Seconds = Annotated[float, Field(ge=-1e12, le=1e12)]


class Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, frozen=True, use_attribute_docstrings=True
    )


class SimilarRequest(Strict):
    """The nearest items of each of several."""

    items: Annotated[Items, Field(min_length=1)]
    k: K = 10
    """How many; items times k are 100,000 at most."""
    allow: Items | None = None
    """All that may come back."""
    deny: Items | None = None
    """What may not."""
    exact: bool = False
    """Whether every item is compared, whatever the index."""
    titles: bool = False
    """Whether titles come along."""

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        return _bounded(self, len(self.items) * self.k, "items times k")


class Click(Strict):
    """An item, and when it was clicked."""

    item: ItemId
    time: Seconds
    """Seconds since 1970."""


class RecommendationsRequest(Strict):
    """What follows one history."""

    history: Annotated[
        list[Annotated[ItemId | Click, Field(union_mode="left_to_right")]], Field(max_length=MOST_ITEMS, fail_fast=True)
    ]
    """From the oldest click on: ids, or ids with times, for a model that reads them. Times count where all have one."""
    asked: Seconds | None = None
    """The moment asked about; for a model that reads it."""
    user: User | None = None
    """Features of the user by name, a value or several of each; for a ranker that reads them."""
    k: K = 10
    """How many."""
    exclude_seen: bool = True
    allow: Items | None = None
    """All that may come back."""
    deny: Items | None = None
    """What may not."""
    rerank: bool = True
    """Whether the ranker has its say, where the bundle carries one."""
    titles: bool = False
    """Whether titles come along."""
    because: bool = False
    """Whether each item comes with the clicks that raise its score most."""

    @cached_property
    def items(self) -> list[ItemId]:
        return [click.item if isinstance(click, Click) else click for click in self.history]

    @cached_property
    def times(self) -> list[float] | None:
        told = [click.time for click in self.history if isinstance(click, Click)]
        return told if told and len(told) == len(self.history) else None

    @property
    def size(self) -> int:
        """Items that its answer has, at most, each as many times as it counts."""
        return self.k * (REASONED if self.because else 1)


class BatchRequest(Strict):
    """What follows each of several histories."""

    requests: Annotated[list[RecommendationsRequest], Field(min_length=1, max_length=MOST_REQUESTS, fail_fast=True)]
    """Their k together are 100,000 at most; with `because`, each k counts 20 times."""

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        return _bounded(self, sum(each.size for each in self.requests), "all k together, 20 times with because,")


Bounded = TypeVar("Bounded", bound=Strict)


def _bounded(asked: Bounded, size: int, name: str) -> Bounded:
    if size > MOST_ANSWERED:
        raise PydanticCustomError("size", f"{name} may be {MOST_ANSWERED:,} at most")
    return asked


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Reason(Answer):
    """A click without which the retriever would have given the item so much less."""

    item: KnownId
    raises: float
    title: str | None = None


class Scored(Answer):
    item: KnownId
    score: float
    title: str | None = None
    because: list[Reason] | None = None


class Neighbours(Answer):
    """`score` is the cosine."""

    bundle: str
    item: KnownId
    neighbours: list[Scored]


class SimilarAnswer(Answer):
    bundle: str
    answers: list[Neighbours]
    unknown: list[KnownId] = []
    """Items that the model does not know: they have no list."""


class Recommendations(Answer):
    bundle: str
    source: str
    """retriever, ranker; or popular, where nothing of the history is known."""
    recommendations: list[Scored]
    unknown: list[KnownId] = []
    """Items of the history that the model cannot read: they were skipped."""


class BatchAnswer(Answer):
    bundle: str
    answers: list[Recommendations]


class Found(Answer):
    item: KnownId
    title: str | None = None


class SearchAnswer(Answer):
    bundle: str
    items: list[Found]


class Place(Answer):
    item: KnownId
    x: float
    y: float
    title: str | None = None


class ItemMap(Answer):
    """The most clicked items in two dimensions."""

    bundle: str
    places: list[Place]


class BundleFacts(Answer):
    """What is served."""

    bundle: str
    published: str
    trained: str
    num_items: int
    num_candidates: int
    dim: int
    reads_last: int
    recommend_metric: str
    similar_metric: str
    index: str
    has_ranker: bool
    num_ranked: int = 0
    """How many items the ranker puts in order, and with that the largest k, unless `rerank` is false."""
    id_type: str
    user_features: list[str] = []
    """What a request may tell of a user."""
    metrics: dict[str, float]
