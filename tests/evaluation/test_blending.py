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
from recsys.model.ranking.ranker import Judged, Ranker, RankerConfig


@pytest.fixture
def validated(dataset) -> Questions:
    return Questions.of_validation(dataset, exclude_seen=True, max_users=200)


def ranker_of(dataset, **model) -> Ranker:
    torch.manual_seed(2)
    config = {"interest": {"kind": "mean"}, "dim": 8, "max_length": 5, "hidden": (8,), **model}
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
        logits = (items == targets[start : start + len(items), None]).float() * 100.0
        return Judged(logits, torch.zeros_like(logits))

    knowing.start = 0
    monkeypatch.setattr("recsys.evaluation.two_stage.judged_candidates", knowing)
    choice = choose_blend(stages)
    assert choice.blend.weight > 0
    assert dict(choice.ndcg)[1.0] > dict(choice.ndcg)[0.0]


def test_without_validation_clicks_nothing_is_chosen(validated, retriever_of):
    retriever, ranker = retriever_of(validated.dataset).eval(), ranker_of(validated.dataset)
    stages = Stages(validated.spread(0), retriever, ranker, num_candidates=9)
    choice = choose_blend(stages)
    assert (choice.blend.weight, choice.users, choice.ndcg) == (UNJUDGED, 0, ())
    assert "not chosen by validation clicks" in choice.line()


def test_what_followed_what_has_a_word_of_its_own(validated, retriever_of):
    retriever, ranker = retriever_of(validated.dataset).eval(), ranker_of(validated.dataset, covisitation=True)
    torch.nn.init.zeros_(ranker.perceptron.layers[-1].weight)  # nothing else is told
    stages = Stages(validated, retriever, ranker, num_candidates=50)
    choice = choose_blend(stages)
    assert choice.blend.covisitation > 0  # the simulated users follow each other, and the retriever is untrained
    assert dict(choice.ndcg)[choice.blend.weight] > choice.retriever_alone > choice.ranker_alone
    assert "x what followed" in choice.line()
    scorer = TwoStageScores(validated, retriever, SecondStage(ranker, 50, choice.blend))
    assert dict(choice.ndcg)[choice.blend.weight] == pytest.approx(ndcg_of(validated, scorer), abs=1e-9)
    assert "what followed with" in scorer.detail
