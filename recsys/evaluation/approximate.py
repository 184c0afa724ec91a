"""The retriever through an index: what is lost for not scoring the whole catalogue."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys.by_index import ByIndex
from recsys.evaluation.outcome import APPROXIMATE, RETRIEVER, IndexCost
from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import Ranking
from recsys.evaluation.systems import DetailedScorer, RetrieverScores
from recsys.index.build import build_index
from recsys.index.config import IndexConfig
from recsys.index.trial import untold
from recsys.model.retriever import Retriever
from recsys.topk import NOTHING

Int32 = NDArray[np.int32]


class ThroughIndex:
    """The retriever and an index of its items, which is the same for whatever is asked of the same candidates."""

    def __init__(self, retriever: Retriever, config: IndexConfig, *, num_found: int) -> None:
        self._retriever = retriever.eval()
        self._config = config
        self._num_found = num_found
        self._by_index: ByIndex | None = None

    def __call__(self, questions: Questions) -> DetailedScorer:
        own, candidates = RetrieverScores(questions, self._retriever), np.array(questions.dataset.candidates)
        if self._by_index is None or not self._by_index.is_of(candidates):
            vectors = own.items.cpu().numpy()[candidates]
            self._by_index = ByIndex(build_index(vectors, self._config, tell=untold), candidates)
        return ScoresByIndex(questions, own, self._by_index, num_found=self._num_found)


class ScoresByIndex:
    """The scores of what the index finds for each user; nothing else can be returned."""

    def __init__(self, questions: Questions, own: RetrieverScores, by_index: ByIndex, *, num_found: int) -> None:
        self.detail = f"{own.detail}; {by_index.index.statement.line()}"
        self._questions = questions
        self._own = own
        self._by_index = by_index
        self._num_found = num_found

    def __call__(self, rows: slice) -> Tensor:
        users = self._own.users[rows].cpu()
        found = self._by_index.topk(users, k=self._num_found, exclusions=self._questions.exclusions(rows))
        scores = torch.full((len(users), len(self._own.items)), NOTHING)
        return scores.scatter_(1, found.indices_UK, found.scores_UK)


def index_cost(rankings: Mapping[str, Ranking]) -> IndexCost | None:
    """What the lists of both have in common; None where there is no index."""
    if APPROXIMATE not in rankings:
        return None
    exact, found = rankings[RETRIEVER].items, rankings[APPROXIMATE].items
    return IndexCost(recall_10=_shared(exact, found, 10), recall_100=_shared(exact, found, 100))


def _shared(exact: Int32, found: Int32, k: int) -> float:
    """Of all items on exact lists, the share that is on the other, too."""
    users = np.arange(len(exact), dtype=np.int64)[:, None]
    width = int(max(exact.max(), found.max())) + 1
    pairs, others = ((users * width + items[:, :k])[items[:, :k] > 0] for items in (exact, found))
    return float(np.isin(pairs, others).mean())
