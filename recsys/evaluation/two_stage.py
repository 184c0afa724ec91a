"""Retrieval, then ranking: the retriever's first items, in the order that the ranker gives them."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from recsys.data.example_batches import Moments, Stretches
from recsys.evaluation.questions import Questions
from recsys.evaluation.systems import RetrieverScores
from recsys.model.encoding import Readable
from recsys.model.ranking.ranker import Ranker, candidate_logits
from recsys.model.retriever import Retriever
from recsys.topk import topk_of_scores


@dataclass(frozen=True)
class SecondStage:
    """A ranker in evaluation mode, and how many items it is handed of each user."""

    ranker: Ranker
    num_candidates: int

    @property
    def reads_query_time(self) -> bool:
        """Whether it knows when the predicted click happens, or in what context."""
        config = self.ranker.config
        has_context = any(feature.is_context for feature in self.ranker.shape.click_features)
        return has_context or config.interest.positions.kind == "time"


@dataclass(frozen=True)
class Asked:
    """What the ranker reads of each user: the readable clicks before the target, as it does when it serves."""

    questions: Questions
    histories: Stretches

    @classmethod
    def of(cls, questions: Questions, max_length: int) -> "Asked":
        dataset, held_out = questions.dataset, questions.held_out
        found = Readable.of(
            dataset.histories, held_out.users, held_out.positions, max_length=max_length, known_V=dataset.known_items
        )
        items, times = found.columns(dataset.histories.items), found.columns(dataset.histories.times)
        marks = tuple(found.columns(feature.values) for feature in dataset.click_features)
        return cls(questions, Stretches(items, times, marks, found.starts, found.lengths))

    def moments(self, rows: slice) -> Moments:
        held_out, dataset = self.questions.held_out, self.questions.dataset
        positions, histories = held_out.positions[rows], self.histories
        chosen = replace(histories, starts=histories.starts[rows], lengths=histories.lengths[rows])
        context = tuple(feature.values[positions] for feature in dataset.click_features.context)
        return chosen.moments(np.asarray(dataset.histories.times[positions]), held_out.users[rows], context)


class TwoStageScores:
    """The ranker's logits of each user's candidates, and all other items behind them as the retriever has them."""

    def __init__(self, questions: Questions, retriever: Retriever, second: SecondStage) -> None:
        self.questions = questions
        self.first = RetrieverScores(questions, retriever)
        self.second = second
        time = ", query time and context" if second.reads_query_time else ""
        self.detail = f"{self.first.detail}; {second.ranker.config.interest.kind} ranks {second.num_candidates}{time}"
        self.candidates = torch.from_numpy(np.array(questions.dataset.candidates))
        self.asked = Asked.of(questions, second.ranker.config.max_length)

    @torch.no_grad()
    def __call__(self, rows: slice) -> Tensor:
        scores = self.first(rows)
        best = topk_of_scores(
            scores.clone(),
            k=min(self.second.num_candidates, scores.shape[1] - 1),
            candidates_V=self.candidates,
            exclusions=self.questions.exclusions(rows),
        )
        logits = candidate_logits(
            self.second.ranker, best.indices_UK, lambda own: self.asked.moments(_within(rows, own))
        )
        behind = scores - scores.amax(dim=1, keepdim=True) - 1.0
        ahead = logits - logits.amin(dim=1, keepdim=True)
        # where fewer are left, 0 stands in their place: padding, which nobody gets
        return behind.scatter(1, best.indices_UK, ahead)


def _within(rows: slice, own: slice) -> slice:
    """Rows of all, by their places among some."""
    return slice(rows.start + own.start, min(rows.start + own.stop, rows.stop))
