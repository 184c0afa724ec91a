"""Exact search by FAISS, one query or a few; many at a time are `topk`'s matter.

FAISS leaves open which of equal scores it returns, and its scores depend on where a row lies. So a few more than k are
fetched and scored again; where the last of those might tie with what was not fetched, everything is.
"""

import faiss
import numpy as np
from numpy.typing import NDArray

from recsys.index.selection import Chosen
from recsys.index.selector import selector_of
from recsys.index.vectors import Float32, Int64, Rows, ranked

# How many more are fetched than are asked for, and by how much a score of two unit vectors may be off.
MARGIN = 8
TOLERANCE = 4e-6


class Flat:
    """All rows of a table, compared with each query."""

    def __init__(self, vectors: Float32) -> None:
        self.vectors = vectors
        lengths = np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)
        self._longest = float(np.sqrt(lengths.max(initial=0.0)))
        self._gathered: tuple[Chosen | None, Flat] = None, self

    def search(self, queries: Float32, k: int, chosen: Chosen | None = None) -> Rows:
        """The k rows of largest inner product with each query, ties by row; there are k that may be found."""
        if chosen is not None and chosen.is_allowed and 4 * chosen.count <= len(self.vectors):
            best = self._those(chosen).search(queries, k)
            return Rows(np.where(best.found, chosen.rows[best.rows], 0), best.scores, best.found)
        num = min(k + MARGIN, len(self.vectors))
        return self.settled(queries, *self._nearest(queries, num, chosen), k, chosen)

    def _those(self, chosen: Chosen) -> "Flat":
        known, gathered = self._gathered
        if known is not chosen:
            gathered = Flat(self.vectors[chosen.rows])
            self._gathered = chosen, gathered  # the next query is likely to be asked with the same one
        return gathered

    def settled(
        self, queries: Float32, scores: Float32, candidates: Int64, k: int, chosen: Chosen | None = None
    ) -> Rows:
        """The same, of more than k candidates that an exact search found with about these scores, the best first."""
        best = ranked(queries, self.vectors, candidates, k)
        for query in np.flatnonzero(self._is_open(queries, best, scores)):
            again = self._among_all(queries[query], k, chosen)
            best.rows[query], best.scores[query], best.found[query] = again.rows[0], again.scores[0], again.found[0]
        return best

    def near(self, row: int, k: int) -> tuple[Int64, float]:
        """Candidates for the k rows nearest to one of its own, and what none of the others reaches."""
        num = min(k + MARGIN, len(self.vectors))
        scores, candidates = self._nearest(self.vectors[row : row + 1], num, None)
        bound = float(scores[0, -1]) + TOLERANCE * self._longest**2 if num < len(self.vectors) else -np.inf
        return candidates[0], bound

    def _nearest(self, queries: Float32, num: int, chosen: Chosen | None) -> tuple[Float32, Int64]:
        scores = np.empty((len(queries), num), np.float32)
        rows = np.empty((len(queries), num), np.int64)
        selector = None if chosen is None else selector_of(chosen)
        faiss.knn_inner_product(
            faiss.swig_ptr(queries),
            faiss.swig_ptr(self.vectors),
            self.vectors.shape[1],
            len(queries),
            len(self.vectors),
            num,
            faiss.swig_ptr(scores),
            faiss.swig_ptr(rows),
            selector,
        )
        return scores, rows

    def _slack(self, queries: Float32) -> NDArray[np.float64]:
        return TOLERANCE * self._longest * np.sqrt(np.einsum("...d,...d->...", queries, queries, dtype=np.float64))

    def _is_open(self, queries: Float32, best: Rows, scores: Float32) -> NDArray[np.bool_]:
        """[queries] whether a row that was not fetched may be one of the k best."""
        if scores.shape[1] == len(self.vectors):
            return np.zeros(len(queries), np.bool_)
        return ~best.found[:, -1] | ~(scores[:, -1] < best.scores[:, -1] - self._slack(queries))

    def _among_all(self, query: Float32, k: int, chosen: Chosen | None) -> Rows:
        with np.errstate(over="ignore", invalid="ignore"):
            scores = self.vectors @ query
        allowed = np.isfinite(scores)
        if not allowed.all():
            # a matrix product may overflow where a sum does not: what is left open is scored again
            return ranked(query[None], self.vectors, _rows(chosen, len(scores)), k)
        if chosen is not None:
            scores[~chosen.mask] = -np.inf
        least = np.partition(scores, len(scores) - k)[len(scores) - k]
        may_be_best = scores >= least - self._slack(query)
        if chosen is not None:
            may_be_best &= chosen.mask
        return ranked(query[None], self.vectors, np.flatnonzero(may_be_best)[None], k)


def _rows(chosen: Chosen | None, num_rows: int) -> Int64:
    """[1, rows] all that may be found."""
    return (np.arange(num_rows) if chosen is None else np.flatnonzero(chosen.mask))[None]
