"""Vectors that go into an index or are asked of it: what they must be, and what two of them score."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

# Vectors that are gathered at a time, in numbers: 64 MB.
GATHERED = 1 << 24


@dataclass(frozen=True)
class Rows:
    """[queries, k] rows by falling score, ties by row. Where `found` is False there is no row: 0, with score -inf."""

    rows: Int64
    scores: Float32
    found: NDArray[np.bool_]

    def rows_of(self, queries: Int64) -> "Rows":
        """The lists of these queries."""
        return Rows(self.rows[queries], self.scores[queries], self.found[queries])

    def columns(self, places: Int64) -> "Rows":
        """[queries, k] of each query's list, the ones at these places."""
        # a third of the time that take_along_axis takes for one query
        own = np.arange(len(places))[:, None], places
        return Rows(self.rows[own], self.scores[own], self.found[own])


def unit_rows(vectors: Float32) -> Float32:
    """Every row at length 1, so that inner products are cosines; a row of zeros stays one."""
    # by the largest number first: the square of a large or a small one is none
    largest = np.maximum(vectors.max(axis=1, keepdims=True), -vectors.min(axis=1, keepdims=True))
    scaled = np.divide(vectors, largest, out=np.zeros_like(vectors), where=largest > 0)
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.divide(scaled, lengths, out=scaled, where=lengths > 0)


def joined(parts: Sequence[tuple[Int64, Rows]], num_queries: int, k: int) -> Rows:
    """The lists of some queries and of others, each part with which queries they are."""
    if len(parts) == 1:
        return parts[0][1]
    rows, scores = np.zeros((num_queries, k), np.int64), np.full((num_queries, k), -np.inf, np.float32)
    found = np.zeros((num_queries, k), np.bool_)
    for own, part in parts:
        rows[own], scores[own], found[own] = part.rows, part.scores, part.found
    return Rows(rows, scores, found)


def ranked(queries: Float32, vectors: Float32, candidates: Int64, k: int) -> Rows:
    """The k best of each query's candidates, [queries, candidates] different rows or -1.

    A score is a function of the two vectors and of nothing else, which a matrix product's is not: so equal vectors
    tie, and who found a candidate does not matter.
    """
    if len(queries) == 1:
        return _ranked_alone(queries[0], vectors, candidates[0], k)
    step = max(1, GATHERED // max(1, candidates.shape[1] * vectors.shape[1]))
    chunks = [np.arange(first, min(first + step, len(queries))) for first in range(0, len(queries), step)]
    parts = [(own, _ranked(queries[own], vectors, candidates[own], k)) for own in chunks]
    return joined(parts, len(queries), min(k, candidates.shape[1]))


def _ranked_alone(query: Float32, vectors: Float32, candidates: Int64, k: int) -> Rows:
    """Of one query in a third of the time: a lookup is a matter of microseconds."""
    with np.errstate(over="ignore", invalid="ignore"):
        scores = (vectors.take(candidates, axis=0) * query).sum(axis=1)
    found = np.isfinite(scores)
    found &= candidates >= 0
    if not found.all():
        scores[~found] = -np.inf
        candidates = np.where(found, candidates, 0)
    best = np.lexsort((candidates, -scores))[:k]
    return Rows(candidates[None, best], scores[None, best], found[None, best])


def _ranked(queries: Float32, vectors: Float32, candidates: Int64, k: int) -> Rows:
    with np.errstate(over="ignore", invalid="ignore"):
        scores = (vectors[candidates] * queries[:, None, :]).sum(axis=2)
    found = np.isfinite(scores) & (candidates >= 0)  # two finite numbers may have an infinite product
    scores = np.where(found, scores, np.float32(-np.inf))
    best = np.lexsort((candidates, -scores), axis=1)[:, :k]
    return Rows(np.where(found, candidates, 0), scores, found).columns(best)


def checked(name: str, array: NDArray[Any]) -> Float32:
    """The same, contiguous; ValueError for what is no finite float32 table."""
    if not isinstance(array, np.ndarray) or array.dtype != np.float32 or array.ndim != 2:
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise ValueError(f"{name} must be a two-dimensional float32 array, got {found}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {(~np.isfinite(array)).sum()} NaN or infinite numbers")
    return np.ascontiguousarray(array)
