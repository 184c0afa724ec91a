"""The systems that are evaluated: the retriever, and the baselines beside it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from recsys.data.dataset import Dataset
from recsys.evaluation.baselines.covisitation import CoVisitation
from recsys.evaluation.baselines.item_knn import ItemKNN
from recsys.evaluation.baselines.popular import Popular
from recsys.evaluation.baselines.recently_popular import RecentlyPopular, why_not
from recsys.evaluation.config import EvaluationConfig
from recsys.evaluation.questions import Questions
from recsys.model.encoding import encode_pasts
from recsys.model.retriever import Retriever, RetrieverConfig


class DetailedScorer(Protocol):
    """A ranking.Scorer that can say how it was made."""

    detail: str

    def __call__(self, rows: slice) -> Tensor: ...


System = Callable[[Questions], DetailedScorer]
"""Learns from the training clicks of the questions' dataset, and scores the questions' users."""


class RetrieverScores:
    """Inner products of user vectors, encoded once, and item vectors."""

    @torch.inference_mode()
    def __init__(self, questions: Questions, retriever: Retriever) -> None:
        config = retriever.config
        self.detail = f"d {config.dim}, {config.num_blocks} blocks, L {config.max_length}" + _told_time(config)
        self.users = encode_pasts(retriever, questions.pasts(config.max_length, reads_times=config.reads_times))
        self.items = retriever.item_vectors().float()

    def __call__(self, rows: slice) -> Tensor:
        return self.users[rows] @ self.items.T


class PopularForUnknown:
    """The popular ranking for users of whom nothing can be read, the scorer's own for the others."""

    def __init__(self, questions: Questions, own: DetailedScorer) -> None:
        self.own = own
        self.detail = own.detail
        self.is_unknown = torch.from_numpy(questions.pasts(1).lengths == 0)
        self.popular = Popular(questions) if self.is_unknown.any() else None

    def __call__(self, rows: slice) -> Tensor:
        scores = self.own(rows)
        unknown = self.is_unknown[rows]
        if self.popular is not None and unknown.any():
            scores[unknown.to(scores.device)] = self.popular(rows)[unknown].to(scores.device)
        return scores


@dataclass(frozen=True)
class Systems:
    """By key, in the order of the tables; `missing` says why one cannot be had here.

    Those `told_time` are retrievers that know when the predicted click happens, and nothing else of it.
    """

    present: Mapping[str, System]
    missing: Mapping[str, str]
    told_time: frozenset[str]


@dataclass(frozen=True)
class Contenders:
    """Retrievers by their keys, and what else stands beside the baselines; which of that is told the target's time."""

    retrievers: Mapping[str, Retriever]
    others: Mapping[str, System] = field(default_factory=dict)
    others_told_time: frozenset[str] = frozenset()


def systems_of(dataset: Dataset, contenders: Contenders, config: EvaluationConfig) -> Systems:
    """The contenders and every baseline."""
    makers: dict[str, System] = {
        **{key: _scored_by(retriever) for key, retriever in contenders.retrievers.items()},
        **contenders.others,
        "covisitation": lambda questions: CoVisitation(questions, decay=config.covisitation_decay),
        "item_knn": ItemKNN,
        "recently_popular": RecentlyPopular,
    }
    reason = why_not(dataset)
    missing = {} if reason is None else {"recently_popular": reason}
    present = {key: _with_fallback(make) for key, make in makers.items() if key not in missing}
    told_time = {key for key, retriever in contenders.retrievers.items() if retriever.config.reads_query_time}
    told_time |= contenders.others_told_time
    return Systems({**present, "popular": Popular}, missing, frozenset(told_time))


def _told_time(config: RetrieverConfig) -> str:
    calendar, floor = config.calendar.num_stretches, config.query_time.floor_seconds
    return "".join(
        (
            f", calendar in {calendar} stretches" if calendar else "",
            f", query time floored to {floor:g} s" if floor is not None else "",
        )
    )


def _scored_by(retriever: Retriever) -> System:
    return lambda questions: RetrieverScores(questions, retriever.eval())


def _with_fallback(make: System) -> System:
    return lambda questions: PopularForUnknown(questions, make(questions))
