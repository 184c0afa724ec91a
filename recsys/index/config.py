"""How the index is searched: one class a kind.

An approximate index visits a part of the catalogue and then scores what it found exactly. `min_recall` is the share of
the true 10 nearest that it finds on average, measured when it is built; its effort is raised until that is met.
"""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, PositiveFloat, PositiveInt

from recsys.section import Section

Recall = Annotated[float, Field(gt=0, le=1)]


class FlatIndex(Section):
    kind: Literal["flat"] = "flat"
    """Compares a query with every item: exact."""


class AutoIndex(Section):
    kind: Literal["auto"] = "auto"
    """Exact up to 8 million numbers (125,000 items 64 wide). Beyond, the cheaper one of `ivf` and `pq` that meets
    `min_recall`; exact where neither saves two thirds of the work."""
    min_recall: Recall = 0.98
    max_mb: PositiveFloat | None = None
    """What the index may take beside the vectors themselves."""


class Approximate(Section):
    min_recall: Recall = 0.98
    visited: PositiveInt | None = None
    """How many lists, or nodes of the graph, a query visits; null: as many as `min_recall` takes."""


class IvfIndex(Approximate):
    """Inverted lists around k-means centroids: the lists nearest to the query are read (Jegou et al. 2011)."""

    kind: Literal["ivf"] = "ivf"
    num_lists: PositiveInt | None = None
    """null: the power of two nearest to the square root of the catalogue's size."""


class SqIndex(IvfIndex):
    """The same with a byte a number in the lists: a quarter of the memory."""

    kind: Literal["sq"] = "sq"  # type: ignore[assignment]
    fetched: PositiveInt = 4
    """How many candidates are scored exactly for each result."""


class PqIndex(IvfIndex):
    """The same with four bits for every two numbers, looked up in registers (Andre et al. 2015)."""

    kind: Literal["pq"] = "pq"  # type: ignore[assignment]
    fetched: PositiveInt | None = None
    """How many candidates are scored exactly for each result; null: as many as `min_recall` takes."""


class HnswIndex(Approximate):
    """A graph of near neighbours, walked from layer to layer (Malkov and Yashunin 2018). Built on several threads it is
    not the same graph twice."""

    kind: Literal["hnsw"] = "hnsw"
    links: Annotated[int, Field(ge=2, le=512)] = 32
    """Of each node, in the graph's layers."""
    construction: PositiveInt = 80
    """Nodes that are looked at to place one."""


ApproximateIndex = IvfIndex | SqIndex | PqIndex | HnswIndex
IndexConfig = Annotated[AutoIndex | FlatIndex | ApproximateIndex, Discriminator("kind")]
