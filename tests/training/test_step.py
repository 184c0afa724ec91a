"""One training step, and what surrounds it: it never waits for the device, and bf16 changes it little."""

import io
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)

from recsys.data.batches import SequenceBatch, Shard
from recsys.data.clicks import MappedClicks, ResidentClicks
from recsys.training.engine import fit
from recsys.training.hardware import place_clicks
from recsys.training.progress import Progress
from recsys.training.reporting import ProgressBar
from recsys.training.retrieval_job import build_batches, build_task
from tests.training.conftest import assert_same_weights, weights

CPU = torch.device("cpu")
OBJECTIVES = [
    {"kind": "softmax", "label_smoothing": 0.1},
    {"kind": "sampled_softmax", "num_negatives": 30, "negatives": {"uniform": 1, "popularity": 1, "in_batch": 1}},
    {"kind": "bce", "num_negatives": 30},
    {"kind": "gbce", "num_negatives": 30},
]


def resident_batch(job) -> SequenceBatch:
    batches = build_batches(job)
    clicks = ResidentClicks(job.dataset.histories.items, job.dataset.histories.times, CPU)
    return next(batches.iterate(batches.plan(0, Shard()), first=0, shard=Shard(), clicks=clicks))


def task_of(job):
    task = build_task(job)
    task.trainer = SimpleNamespace(world_size=1)
    return task


def step_without_values(job) -> None:
    """A batch and a step over it in which no tensor has values: to look at one is an error, as it is a wait on CUDA."""
    task = task_of(job)
    optimizer = task.configure_optimizers()
    with FakeTensorMode(allow_non_fake_inputs=True):
        task.training_step(resident_batch(job)).backward()
        task.configure_gradient_clipping(optimizer)
        optimizer.step()


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective["kind"])
@pytest.mark.parametrize("score", ["dot", "cosine"])
def test_no_step_looks_at_a_value(changed, objective, score):
    step_without_values(changed({"objective": objective}, {"score": {"kind": score}, "gaps": {"kind": "log"}}))


def test_a_boolean_mask_or_a_number_read_would_be_noticed(job, monkeypatch):
    monkeypatch.setattr(SequenceBatch, "without_padding", lambda self, values: values[self.items_BL > 0])
    with pytest.raises(DynamicOutputShapeException):
        step_without_values(job)
    monkeypatch.setattr(SequenceBatch, "without_padding", lambda self, values: values[: int(self.lengths_B.sum())])
    with pytest.raises(DataDependentOutputException):
        step_without_values(job)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective["kind"])
def test_a_step_in_bf16_is_near_the_one_in_fp32(changed, objective):
    job = changed({"objective": objective}, {"dropout": 0.0})
    batch, steps = resident_batch(job), []
    for halves in (False, True):
        task = task_of(job)
        torch.manual_seed(0)  # the same negatives
        with torch.autocast("cpu", torch.bfloat16, enabled=halves):
            loss = task.training_step(batch)
        loss.backward()
        assert loss.dtype == torch.float32
        steps.append([loss.detach(), *(parameter.grad for parameter in task.parameters())])
    for exact, rounded in zip(*steps, strict=True):
        assert rounded.dtype == exact.dtype == torch.float32
        assert (rounded - exact).norm() <= 0.03 * exact.norm()


@pytest.mark.parametrize("reads_times", [False, True])
def test_clicks_are_resident_where_they_leave_three_quarters_free(small_dataset, reads_times):
    items, times = small_dataset.histories.items, small_dataset.histories.times if reads_times else None
    num_bytes = items.nbytes * (3 if reads_times else 1)
    for free_bytes, place in [(4 * num_bytes, ResidentClicks), (4 * num_bytes - 1, MappedClicks)]:
        assert isinstance(place_clicks(items, times, CPU, free_bytes=free_bytes), place)


def test_training_from_resident_clicks_is_training_from_mapped_ones(changed, tmp_path, monkeypatch):
    mapped, resident = (changed(directory=tmp_path / name) for name in ("mapped", "resident"))
    fit(mapped, tell=lambda _: None)
    monkeypatch.setattr("recsys.training.loaders.free_memory", lambda _: 1 << 40)
    fit(resident, tell=lambda _: None)
    assert_same_weights(mapped.directory, resident.directory)


def test_the_progress_bar_reads_the_loss_twice_a_second_at_most(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    now, reads = [0.0], []
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    bar = ProgressBar(Progress(), SimpleNamespace(best=None, validator=None), max_epochs=1)
    bar.on_train_epoch_start(SimpleNamespace(is_global_zero=True), None)
    loss = SimpleNamespace(item=lambda: reads.append(now[0]) or 1.5)
    for batch_index in range(3000):
        now[0] = batch_index / 1000
        bar.on_train_batch_end(None, None, {"loss": loss}, SimpleNamespace(num_targets=1), batch_index)
    assert reads == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0, 2.5])
    assert bar.bar.postfix == "loss 1.500"
    bar.on_train_epoch_end()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_a_compiled_encoder_trains_as_an_eager_one(changed, tmp_path):
    eager, compiled = (
        changed({"compile": choice, "max_epochs": 2}, {"dropout": 0.0}, directory=tmp_path / str(choice))
        for choice in (False, True)
    )
    for job in (eager, compiled):
        fit(job, tell=lambda _: None)
    assert weights(eager.directory).keys() == weights(compiled.directory).keys()
    for name, value in weights(eager.directory).items():
        torch.testing.assert_close(weights(compiled.directory)[name], value, atol=1e-4, rtol=1e-3)
