"""What may be asked, and what is answered. Strict: no unknown field, no number for a truth value, nothing infinite."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MOST_TEXT, MOST_ITEMS, MOST_K, MOST_REQUESTS = 512, 10_000, 1_000, 256
"""Letters of an id, ids of a list, the k of a request, requests of a batch."""
ItemId = Annotated[str, StringConstraints(max_length=MOST_TEXT)] | int | float
Items = Annotated[list[ItemId], Field(max_length=MOST_ITEMS)]
K = Annotated[int, Field(ge=1, le=MOST_K)]
Seconds = Annotated[float, Field(ge=-1e12, le=1e12)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class SimilarRequest(Strict):
    """The nearest items of each of several."""

    items: Annotated[Items, Field(min_length=1, examples=[["i01999", "i00007"]])]
    k: K = 10
    allow: Items | None = None
    deny: Items | None = None
    exact: bool = False
    titles: bool = False


class RecommendationsRequest(Strict):
    """What follows one history, which runs from the oldest click on."""

    history: Annotated[Items, Field(examples=[["i01999", "i00007"]])]
    times: Annotated[list[Seconds], Field(max_length=MOST_ITEMS)] | None = None
    """Seconds since 1970, one for each click; for a model that reads times."""
    asked: Seconds | None = None
    """The moment asked about; for a model that reads it."""
    k: K = 10
    exclude_seen: bool = True
    allow: Items | None = None
    deny: Items | None = None
    rerank: bool = True
    """Whether the ranker has its say, where the bundle carries one."""
    titles: bool = False
    because: bool = False
    """Whether each item comes with the clicks that raise its score most."""


class BatchRequest(Strict):
    requests: Annotated[list[RecommendationsRequest], Field(min_length=1, max_length=MOST_REQUESTS)]


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Reason(Answer):
    """A click without which the retriever would have given the item so much less."""

    item: str | int | float
    raises: float
    title: str | None = None


class Scored(Answer):
    item: str | int | float
    score: float
    title: str | None = None
    because: list[Reason] | None = None


class Neighbours(Answer):
    """`score` is the cosine."""

    bundle: str
    item: str | int | float
    neighbours: list[Scored]


class SimilarAnswer(Answer):
    bundle: str
    answers: list[Neighbours]
    unknown: list[str | int | float] = []
    """Items that the model does not know: they have no list."""


class Recommendations(Answer):
    bundle: str
    source: str
    """retriever, ranker; or popular, where nothing of the history is known."""
    recommendations: list[Scored]
    unknown: list[str | int | float] = []
    """Items of the history that the model cannot read: they were skipped."""


class BatchAnswer(Answer):
    bundle: str
    answers: list[Recommendations]


class Found(Answer):
    item: str | int | float
    title: str | None = None


class SearchAnswer(Answer):
    bundle: str
    items: list[Found]


class Place(Answer):
    item: str | int | float
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
    metrics: dict[str, float]
