"""Training on masked clicks: it resumes bit for bit, never waits for the device, and learns."""

import random
import signal

import numpy as np
import polars as pl
import pytest
import torch

from recsys.data.config import DataConfig
from recsys.data.dataset import Dataset, open_dataset
from recsys.data.prepare import prepare
from recsys.model.retriever import Retriever
from recsys.training.engine import fit
from recsys.training.outcome import load_best
from recsys.training.validation import Validator
from tests.training.conftest import assert_same_weights
from tests.training.test_resume import EVERY_STEP, in_a_child, quiet, signalled_at
from tests.training.test_step import OBJECTIVES, step_without_values

CLOZE = {"target": {"kind": "cloze", "last_share": 0.3}}


@pytest.fixture(scope="module")
def walks(tmp_path_factory) -> Dataset:
    """200 users who walk along a circle of 40 items, one to three items at a step."""
    random, directory = np.random.default_rng(0), tmp_path_factory.mktemp("walks")
    users = np.repeat(np.arange(200), random.integers(4, 20, 200))
    items = (random.integers(40, size=200)[users] + random.integers(1, 4, len(users)).cumsum()) % 40
    log = pl.DataFrame({"user_id": users, "item_id": items, "timestamp": 1_700_000_000 + np.arange(len(users))})
    log.write_parquet(directory / "clicks.parquet")
    events = {"path": directory / "clicks.parquet"}
    config = DataConfig.model_validate({"events": events, "split": {"kind": "leave_last_out"}})
    prepare(config, directory / "dataset", seed=0)
    return open_dataset(directory / "dataset")


@pytest.fixture
def cloze(changed):
    def change(training: dict | None = None, model: dict | None = None, **fields):
        return changed(training, CLOZE | (model or {}), **fields)

    return change


def test_killed_at_random_steps_it_goes_on_to_the_weights_of_the_uninterrupted_run(cloze, tmp_path, monkeypatch):
    whole = cloze(EVERY_STEP, directory=tmp_path / "whole")
    outcome = fit(whole, tell=quiet)
    for step in random.Random(7).sample(range(1, outcome.steps), 3):
        job = cloze(EVERY_STEP, directory=tmp_path / f"killed-{step}")

        def work(job=job, step=step) -> None:
            signalled_at(step, signal.SIGKILL, monkeypatch)
            fit(job, tell=quiet)

        assert in_a_child(work) == -signal.SIGKILL
        resumed = fit(job, tell=quiet)
        assert_same_weights(whole.directory, job.directory)
        assert [record.loss for record in resumed.history] == pytest.approx([r.loss for r in outcome.history])


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective["kind"])
def test_no_step_looks_at_a_value(cloze, objective):
    step_without_values(cloze({"objective": objective}))


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective["kind"])
def test_the_loss_falls_and_the_mask_is_learned(cloze, walks, objective):
    training = {"max_epochs": 4, "objective": objective, "batch_tokens": 256, "optimizer": {"learning_rate": 0.02}}
    job = cloze(training, {"dropout": 0.0}, dataset=walks)
    history = fit(job, tell=quiet).history
    assert history[-1].loss < 0.99 * history[0].loss
    assert not torch.equal(load_best(job.directory).target.mask_D, job.task().retriever.target.mask_D)


def test_it_ranks_the_next_click_far_better_than_popularity(cloze, walks):
    training = {"max_epochs": 10, "batch_tokens": 256, "optimizer": {"learning_rate": 0.02}}
    job = cloze(training, {"dim": 16, "num_blocks": 2, "max_length": 10, "dropout": 0.1}, dataset=walks)
    validator = Validator(walks, exclude_seen=True, max_users=10**6, seed=0)
    popular = most_popular(job.task().retriever, torch.from_numpy(walks.training_counts()))
    assert fit(job, tell=quiet).validation > 2 * validator(popular.eval())


@torch.no_grad()
def most_popular(retriever: Retriever, counts_V: torch.Tensor) -> Retriever:
    """Of a user the first number is 1, of an item its clicks; all others are 0."""
    for tensor in (retriever.encoder.norm.weight, retriever.encoder.norm.bias, retriever.scored.weight_VD):
        tensor.zero_()
    retriever.encoder.norm.bias[0] = 1
    retriever.scored.weight_VD[:, 0] = counts_V
    return retriever
