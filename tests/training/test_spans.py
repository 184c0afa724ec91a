"""A mixer that learns how far it reads: what it pays for that is in the loss, and what it has learned is told."""

import torch

from recsys.model.ranking.interest_config import BstConfig
from recsys.nn.mixers.adaptive_span import AdaptiveSpanConfig
from recsys.nn.shape import SequenceShape
from recsys.training.engine import fit
from recsys.training.outcome import load_best, read_outcome
from recsys.training.retrieval_job import build_task
from tests.training.test_step import resident_batch, task_of

SPANS = {"kind": "adaptive_span", "max_span": 16, "initial_span": 4.0, "ramp": 2}


def test_the_penalty_is_added_to_the_mean_loss(changed):
    losses = []
    for weight in (0.0, 0.5):
        job = changed(None, {"dropout": 0.0, "num_blocks": 3, "mixer": {**SPANS, "penalty_weight": weight}})
        losses.append(task_of(job).training_step(resident_batch(job)).item())
    torch.testing.assert_close(losses[1] - losses[0], 0.5 * 3 * 2 * 4.0, atol=1e-3, rtol=0)


def test_a_ranker_pays_it_too():
    mixer = AdaptiveSpanConfig.model_validate({**SPANS, "penalty_weight": 0.5})
    interest = BstConfig(mixer=mixer, num_blocks=2).build(SequenceShape(8, 6), 0.0)
    torch.testing.assert_close(sum(interest.penalties()).item(), 0.5 * 2 * 2 * 4.0)


def test_spans_are_told_after_each_epoch_and_other_mixers_tell_nothing(changed):
    job, told = changed(None, {"mixer": {**SPANS, "penalty_weight": 1.0}}), []
    fit(job, tell=lambda _: None, on_epoch=told.append)
    spans = [record.measures for record in told]
    assert len(spans) == 3
    assert all(
        [*one] == [f"block_0.{name}" for name in ("span_of_head_0", "span_of_head_1", "penalty")] for one in spans
    )
    assert 4.0 > spans[0]["block_0.span_of_head_0"] > spans[-1]["block_0.span_of_head_0"]
    assert [record.measures for record in read_outcome(job.directory).history] == spans
    assert build_task(changed()).measures() == {}


def test_what_is_told_is_of_the_weights_that_are_kept(changed):
    job = changed({"average_decay": 0.9}, {"mixer": {**SPANS, "penalty_weight": 1.0}})
    outcome = fit(job, tell=lambda _: None)
    kept = load_best(job.directory).encoder
    assert outcome.history[outcome.best_epoch - 1].measures == kept.measures()


def test_a_ranker_tells_its_spans():
    interest = BstConfig(mixer=AdaptiveSpanConfig.model_validate(SPANS)).build(SequenceShape(8, 6), 0.0)
    assert interest.measures() == interest.encoder.measures() != {}
