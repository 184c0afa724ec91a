"""Retrieval, then ranking: the retriever's first items, in the order that both stages give them together."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from recsys.blend import Blend
from recsys.data.example_batches import Moments, Stretches
from recsys.evaluation.questions import Questions
from recsys.evaluation.systems import RetrieverScores
from recsys.model.encoding import Readable
from recsys.model.ranking.ranker import Judged, Ranker, judged_candidates
from recsys.model.retriever import Retriever
from recsys.topk import topk_of_scores


@dataclass(frozen=True)
class SecondStage:
    """A ranker in evaluation mode, how many items it is handed of each user, and what its word weighs."""

    ranker: Ranker
    num_candidates: int
    blend: Blend

    @property
    def reads_query_time(self) -> bool:
        """Whether it knows when the predicted click happens, or in what context."""
        config = self.ranker.config
        has_context = any(feature.is_context for feature in self.ranker.shape.click_features)
        return self.blend.weight > 0 and (has_context or config.interest.positions.kind == "time")


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


@dataclass(frozen=True)
class Found:
    """[U, K] of each user's candidates: items, 0 where fewer are left, the retriever's scores, what the ranker says."""

    items_UK: Tensor
    scores_UK: Tensor
    judged: Judged

    def blended(self, blend: Blend) -> Tensor:
        """[U, K]"""
        return blend(self.scores_UK, self.judged.logits_HC, self.judged.followed_HC)


class Stages:
    """Both stages' answers to questions, side by side."""

    def __init__(self, questions: Questions, retriever: Retriever, ranker: Ranker, *, num_candidates: int) -> None:
        self.questions = questions
        self.first = RetrieverScores(questions, retriever)
        self.ranker = ranker
        self.num_candidates = num_candidates
        self.candidates_V = torch.from_numpy(np.array(questions.dataset.candidates))
        self.asked = Asked.of(questions, ranker.config.max_length)

    def __call__(self, rows: slice) -> Found:
        return self.among(self.first(rows), rows)

    @torch.no_grad()
    def among(self, scores_UV: Tensor, rows: slice) -> Found:
        """By the retriever's scores of all items for these users."""
        best = topk_of_scores(
            scores_UV.clone(),
            k=min(self.num_candidates, scores_UV.shape[1] - 1),
            candidates_V=self.candidates_V,
            exclusions=self.questions.exclusions(rows),
        )
        judged = judged_candidates(self.ranker, best.indices_UK, lambda own: self.asked.moments(_within(rows, own)))
        return Found(best.indices_UK, best.scores_UK, judged)


class TwoStageScores:
    """The blend of both for each user's candidates, and all other items behind them as the retriever has them."""

    def __init__(self, questions: Questions, retriever: Retriever, second: SecondStage) -> None:
        self.stages = Stages(questions, retriever, second.ranker, num_candidates=second.num_candidates)
        self.blend = second.blend
        time = ", query time and context" if second.reads_query_time else ""
        kind, blend = second.ranker.config.interest.kind, second.blend
        counts = f" and what followed with {blend.covisitation:g}" if blend.covisitation else ""
        of_both = f"{kind} with weight {blend.weight:g}{counts}"
        self.detail = f"{self.stages.first.detail}; {of_both} ranks {second.num_candidates}{time}"

    def __call__(self, rows: slice) -> Tensor:
        scores_UV = self.stages.first(rows)
        found = self.stages.among(scores_UV, rows)
        is_none_UK = found.items_UK == 0
        blended_UK = found.blended(self.blend).masked_fill(is_none_UK, 0.0)
        behind_UV = scores_UV - scores_UV.amax(dim=1, keepdim=True) - 1.0
        # where fewer are left, 0 stands in their place: padding, which nobody gets
        return behind_UV.scatter(1, found.items_UK, blended_UK - blended_UK.amin(dim=1, keepdim=True))


def _within(rows: slice, own: slice) -> slice:
    """Rows of all, by their places among some."""
    return slice(rows.start + own.start, min(rows.start + own.stop, rows.stop))
