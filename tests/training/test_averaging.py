"""The average is the recurrence written out, is what gets validated and kept, and leaves training alone."""

import pytest
import torch

from recsys.training.averaging import WeightAverage
from recsys.training.engine import fit
from recsys.training.outcome import load_best
from recsys.training.retrieval_job import build_task
from recsys.training.validation import Validator


def test_it_is_the_recurrence_written_out(job):
    task, average = build_task(job), WeightAverage(decay=0.5)
    average.on_train_start(None, task)
    weight = task.retriever.clicked.weight_VD
    expected = weight.detach().clone()
    for step in range(1, 30):
        with torch.no_grad():
            weight += step
        average.on_train_batch_end(None, task)
        share = 1 - min(0.5, (1 + step) / (10 + step))
        expected += share * (weight.detach() - expected)
    torch.testing.assert_close(average.weights["clicked.weight_VD"], expected)


def test_in_place_it_is_the_model_and_afterwards_it_is_not(job):
    task, average = build_task(job), WeightAverage(decay=0.9)
    average.on_train_start(None, task)
    weight = task.retriever.clicked.weight_VD
    with torch.no_grad():
        weight += 1.0
    trained = weight.detach().clone()
    with pytest.raises(RuntimeError, match="in between"), average.in_place(task.retriever):
        torch.testing.assert_close(weight.detach(), trained - 1.0)
        raise RuntimeError("in between")
    assert torch.equal(weight.detach(), trained)


def test_what_is_kept_is_what_was_validated(changed, monkeypatch):
    judged = []
    usual = Validator.__call__

    def judge(self, retriever):
        judged.append({name: value.detach().clone() for name, value in retriever.state_dict().items()})
        return usual(self, retriever)

    monkeypatch.setattr(Validator, "__call__", judge)
    job = changed({"average_decay": 0.99})
    outcome = fit(job, tell=lambda _: None)
    kept = load_best(job.directory).state_dict()
    for name, value in judged[outcome.best_epoch - 1].items():
        assert torch.equal(kept[name], value), name


def test_it_does_not_change_what_is_trained(changed, tmp_path):
    losses = [
        [record.loss for record in fit(changed({"average_decay": decay}, directory=tmp_path / name)).history]
        for name, decay in (("with", 0.9), ("without", 0.0))
    ]
    assert losses[0] == losses[1]
