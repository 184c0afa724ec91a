"""How much the ranker says: chosen by validation clicks, between the retriever alone and the ranker alone."""

import numpy as np
import pytest
import torch

from recsys.blend import Blend
from recsys.evaluation.blending import UNJUDGED, WEIGHTS, choose_blend
from recsys.evaluation.metrics import ndcg
from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import rank
from recsys.evaluation.systems import RetrieverScores
from recsys.evaluation.two_stage import SecondStage, Stages, TwoStageScores
from recsys.model.ranking.ranker import Ranker, RankerConfig


@pytest.fixture
def validated(dataset) -> Questions:
    return Questions.of_validation(dataset, exclude_seen=True, max_users=200)


def ranker_of(dataset) -> Ranker:
    torch.manual_seed(2)
    config = {"interest": {"kind": "mean"}, "dim": 8, "max_length": 5, "hidden": (8,)}
    return Ranker.for_dataset(RankerConfig.model_validate(config), dataset).eval()


def ndcg_of(questions, scorer) -> float:
    return float(ndcg(rank(questions, scorer, k=10, advance=lambda _: None).ranks, 10).mean())


def test_every_weights_score_is_that_of_the_evaluation(validated, retriever_of):
    dataset, retriever = validated.dataset, retriever_of(validated.dataset).eval()
    ranker = ranker_of(dataset)
    choice = choose_blend(Stages(validated, retriever, ranker, num_candidates=50))
    assert [weight for weight, _ in choice.ndcg] == list(WEIGHTS)
    assert choice.users == len(validated)
    for weight, found in choice.ndcg[::5]:
        second = SecondStage(ranker, 50, Blend(weight=weight))
        assert found == pytest.approx(ndcg_of(validated, TwoStageScores(validated, retriever, second)), abs=1e-9)
    assert dict(choice.ndcg)[choice.blend.weight] == max(dict(choice.ndcg).values())
    assert "ranker alone" in choice.line()


def test_without_a_word_from_the_ranker_the_retrievers_lists_stay(validated, retriever_of):
    retriever = retriever_of(validated.dataset).eval()
    second = SecondStage(ranker_of(validated.dataset), 50, Blend(weight=0.0))
    lists = [
        rank(validated, scorer, k=30, advance=lambda _: None).items
        for scorer in (RetrieverScores(validated, retriever), TwoStageScores(validated, retriever, second))
    ]
    assert np.array_equal(*lists)


def test_a_ranker_that_knows_the_answer_is_believed(validated, retriever_of, monkeypatch):
    stages = Stages(validated, retriever_of(validated.dataset).eval(), ranker_of(validated.dataset), num_candidates=500)
    targets = torch.from_numpy(validated.targets)

    def knowing(_ranker, items, _moments):
        start = knowing.start
        knowing.start += len(items)
        return (items == targets[start : start + len(items), None]).float() * 100.0

    knowing.start = 0
    monkeypatch.setattr("recsys.evaluation.two_stage.candidate_logits", knowing)
    choice = choose_blend(stages)
    assert choice.blend.weight > 0
    assert dict(choice.ndcg)[1.0] > dict(choice.ndcg)[0.0]


def test_without_validation_clicks_nothing_is_chosen(validated, retriever_of):
    retriever, ranker = retriever_of(validated.dataset).eval(), ranker_of(validated.dataset)
    stages = Stages(validated.spread(0), retriever, ranker, num_candidates=9)
    choice = choose_blend(stages)
    assert (choice.blend.weight, choice.users, choice.ndcg) == (UNJUDGED, 0, ())
    assert "not chosen by validation clicks" in choice.line()
