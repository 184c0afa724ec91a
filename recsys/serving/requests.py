"""What may be asked, and what is answered. Strict: no unknown field, no number for a truth value, nothing infinite."""

from functools import cached_property
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from typing_extensions import TypeAliasType

MOST_TEXT, MOST_ITEMS, MOST_K, MOST_REQUESTS, MOST_VALUES = 512, 10_000, 1_000, 256, 64
"""Letters of an id, ids of a list, the k of a request, requests of a batch, features of a user and values of each."""


def _whole(value: object) -> object:
    """JSON has numbers of one kind: 5.0 is 5."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Text = Annotated[str, StringConstraints(max_length=MOST_TEXT)]
ItemId = TypeAliasType("ItemId", Annotated[Text | int | float, BeforeValidator(_whole)])
Items = Annotated[list[ItemId], Field(max_length=MOST_ITEMS)]
K = Annotated[int, Field(ge=1, le=MOST_K), BeforeValidator(_whole)]
UserValue = Text | bool | int | float
User = TypeAliasType(
    "User",
    Annotated[
        dict[Text, UserValue | Annotated[list[UserValue], Field(max_length=MOST_VALUES)]],
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
    """How many."""
    allow: Items | None = None
    """All that may come back."""
    deny: Items | None = None
    """What may not."""
    exact: bool = False
    """Whether every item is compared, whatever the index."""
    titles: bool = False
    """Whether titles come along."""


class Click(Strict):
    """An item, and when it was clicked."""

    item: ItemId
    time: Seconds
    """Seconds since 1970."""


class RecommendationsRequest(Strict):
    """What follows one history."""

    history: Annotated[list[ItemId | Click], Field(max_length=MOST_ITEMS)]
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


class BatchRequest(Strict):
    """What follows each of several histories."""

    requests: Annotated[list[RecommendationsRequest], Field(min_length=1, max_length=MOST_REQUESTS)]


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Reason(Answer):
    """A click without which the retriever would have given the item so much less."""

    item: ItemId
    raises: float
    title: str | None = None


class Scored(Answer):
    item: ItemId
    score: float
    title: str | None = None
    because: list[Reason] | None = None


class Neighbours(Answer):
    """`score` is the cosine."""

    bundle: str
    item: ItemId
    neighbours: list[Scored]


class SimilarAnswer(Answer):
    bundle: str
    answers: list[Neighbours]
    unknown: list[ItemId] = []
    """Items that the model does not know: they have no list."""


class Recommendations(Answer):
    bundle: str
    source: str
    """retriever, ranker; or popular, where nothing of the history is known."""
    recommendations: list[Scored]
    unknown: list[ItemId] = []
    """Items of the history that the model cannot read: they were skipped."""


class BatchAnswer(Answer):
    bundle: str
    answers: list[Recommendations]


class Found(Answer):
    item: ItemId
    title: str | None = None


class SearchAnswer(Answer):
    bundle: str
    items: list[Found]


class Place(Answer):
    item: ItemId
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
    id_type: str
    user_features: list[str] = []
    """What a request may tell of a user."""
    metrics: dict[str, float]
