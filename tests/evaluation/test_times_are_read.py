"""A model that reads times is given them wherever it is asked, that of the target included; another one is not."""

import pytest

from recsys.evaluation.questions import Questions
from recsys.evaluation.systems import RetrieverScores
from recsys.model.retriever import Retriever, RetrieverConfig
from recsys.training.validation import Validator


@pytest.mark.parametrize("spans", [{"gaps": {"kind": "log"}}, {"query_time": {"kind": "log"}}, {}], ids=str)
def test_validation_and_evaluation_hand_over_the_times(small_dataset, monkeypatch, spans):
    config = RetrieverConfig.model_validate({"dim": 8, "max_length": 6, "num_blocks": 1, **spans})
    retriever = Retriever.for_catalogue(config, len(small_dataset.items), small_dataset.features.inputs).eval()
    usual, given = Retriever.user_vectors, []

    def user_vectors(self, items_BL, lengths_B, *times):
        given.append(len(times))
        return usual(self, items_BL, lengths_B, *times)

    monkeypatch.setattr(Retriever, "user_vectors", user_vectors)
    Validator(small_dataset, exclude_seen=True, max_users=9, seed=0)(retriever)
    RetrieverScores(Questions.of_test(small_dataset, exclude_seen=True), retriever)
    assert len(given) >= 2
    assert set(given) == {2 if spans else 0}
