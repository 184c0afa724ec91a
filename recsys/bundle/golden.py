"""A few questions with the answers of when the bundle was made: whoever opens it can tell whether it still gives them.

Item indices, not ids. Scores are compared with some tolerance, because processors differ in the last digits.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from recsys.model.retriever import Retriever
from recsys.section import Section

NUM_HISTORIES, LENGTHS, NUM_BEST = 8, (1, 2, 3, 5), 5
TOLERANCE = 1e-3


class GoldenQuery(Section):
    """After this history these scores are the best; seen items are not left out, and nothing is re-ranked."""

    history: tuple[int, ...]
    scores: tuple[float, ...]


class Golden(Section):
    queries: tuple[GoldenQuery, ...]

    def agrees(self, number: int, scores: NDArray[np.float32]) -> bool:
        """Whether these are the best scores of that query, as far as anybody can tell."""
        expected = np.array(self.queries[number].scores)
        if len(scores) < len(expected):
            return False
        slack = TOLERANCE * max(1.0, float(np.abs(expected).max(initial=0.0)))
        return bool(np.isfinite(scores).all() and np.abs(scores[: len(expected)] - expected).max(initial=0.0) <= slack)


@torch.inference_mode()
def make_golden(
    retriever: Retriever, vectors: NDArray[np.float32], candidates: NDArray[np.bool_], popularity: NDArray[np.int64]
) -> Golden:
    """Histories of the most clicked items, which any retriever can read."""
    popular = np.argsort(-popularity, kind="stable")[: NUM_HISTORIES * max(LENGTHS)]
    popular = popular[popularity[popular] > 0]
    allowed, queries = torch.from_numpy(vectors[candidates]), []
    for number in range(min(NUM_HISTORIES, len(popular))):
        length = min(LENGTHS[number % len(LENGTHS)], retriever.config.max_length)
        history = popular[number::NUM_HISTORIES][:length]
        user = retriever.user_vectors(torch.from_numpy(history[None]), torch.tensor([len(history)]))
        scores = (user.float().cpu() @ allowed.T)[0]
        best = scores.topk(min(NUM_BEST, len(scores))).values
        queries.append(GoldenQuery(history=tuple(map(int, history)), scores=tuple(best.tolist())))
    return Golden(queries=tuple(queries))
