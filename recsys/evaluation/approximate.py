"""The retriever through an index: what is lost for not scoring the whole catalogue."""

from collections.abc import Callable, Mapping

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
from recsys.model.retriever import Retriever
from recsys.topk import NOTHING

Int32 = NDArray[np.int32]


class ScoresByIndex:
    """The scores of what the index finds for each user; nothing else can be returned."""

    def __init__(self, questions: Questions, retriever: Retriever, config: IndexConfig, *, num_found: int) -> None:
        own = RetrieverScores(questions, retriever)
        candidates = np.array(questions.dataset.candidates)
        vectors = own.items.cpu().numpy()
        self.by_index = ByIndex(build_index(vectors[candidates], config, tell=_nobody), candidates)
        self.detail = f"{own.detail}; {self.by_index.index.statement.line()}"
        self.users = own.users
        self.questions = questions
        self.shape = len(vectors)
        self.num_found = num_found

    def __call__(self, rows: slice) -> Tensor:
        users = self.users[rows].cpu()
        found = self.by_index.topk(users, k=self.num_found, exclusions=self.questions.exclusions(rows))
        scores = torch.full((len(users), self.shape), NOTHING)
        return scores.scatter_(1, found.indices_UK, found.scores_UK)


def through_index(
    retriever: Retriever, config: IndexConfig, *, num_found: int
) -> Callable[[Questions], DetailedScorer]:
    return lambda questions: ScoresByIndex(questions, retriever.eval(), config, num_found=num_found)


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


def _nobody(message: str) -> None:
    """Is told: the detail says it."""
