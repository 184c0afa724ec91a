"""A training that is timed is the training that would be; what is found hangs together."""

import json
import math

import pytest

from recsys.benchmark.machine import Load, LoadMeter
from recsys.benchmark.train import benchmark_training
from recsys.data.batches import Shard
from recsys.errors import ConfigError
from recsys.training.clock import Clock
from recsys.training.retrieval_job import build_batches
from recsys.training.stopwatch import LEAST_STEPS, PARTS, Lap
from recsys.training.validation import Validator
from tests.training.conftest import changed, job  # noqa: F401


def measured(job, seconds=0.2):  # noqa: F811
    return benchmark_training(job, seconds=seconds, tell=lambda _: None)


@pytest.mark.parametrize("objective", ["softmax", "sampled_softmax", "bce"])
def test_what_is_found_hangs_together(changed, objective):  # noqa: F811
    job = changed({"objective": {"kind": objective}})  # noqa: F811
    found = measured(job)
    assert found.seconds >= 0.2
    assert found.steps >= LEAST_STEPS
    assert found.clicks_per_second == pytest.approx(found.steps * found.clicks_per_step / found.seconds)
    epoch = build_batches(job).plan(0, Shard()).clicks_from(0)
    assert found.epoch_seconds * found.clicks_per_second == pytest.approx(epoch)
    assert set(found.shares) == set(PARTS)
    assert math.fsum(found.shares.values()) == pytest.approx(1.0, abs=0.02)
    assert min(found.shares.values()) > 0
    assert found.epoch_end_seconds > 0
    assert found.matmul is not None
    assert found.matmul.useful_rate == pytest.approx(found.matmul.useful_flop * found.clicks_per_second)
    assert 0 < found.matmul.share < 1
    assert not job.directory.exists()


def test_more_items_scored_are_more_flop(changed):  # noqa: F811
    flop = [
        measured(changed({"objective": objective}), 0.01).matmul.useful_flop
        for objective in ({"kind": "softmax"}, {"kind": "bce", "num_negatives": 1040})
    ]
    assert flop[1] - flop[0] == pytest.approx(3 * 2 * 8 * 1000)


def test_every_step_of_the_real_training_is_timed_and_validated(job, monkeypatch):  # noqa: F811
    steps, validations = [], []
    usual_step, usual_validation = Clock.on_train_batch_end, Validator.__call__
    monkeypatch.setattr(Clock, "on_train_batch_end", lambda *args: steps.append(args[4]) or usual_step(*args))
    monkeypatch.setattr(Validator, "__call__", lambda *args: validations.append(1) or usual_validation(*args))
    found = measured(job)
    assert len(steps) >= found.steps + 2 * LEAST_STEPS
    assert validations


def test_a_lap_ends_by_steps_and_seconds():
    lap = Lap(least_seconds=1.0)
    for _ in range(LEAST_STEPS - 1):
        assert not lap.ends_with(9.0)
        lap.add(10, 0.1)
    assert not lap.ends_with(0.5)
    assert lap.ends_with(0.7)
    assert (lap.clicks, lap.steps) == (10 * (LEAST_STEPS - 1), LEAST_STEPS - 1)


def test_matrix_products_beside_a_busy_process_are_not_clean(job, monkeypatch):  # noqa: F811
    loads = iter([Load(others=0.0), Load(others=0.3)])
    monkeypatch.setattr(LoadMeter, "load", lambda _: next(loads))
    assert not measured(job, 0.01).load.is_clean


def test_several_processes_are_refused(changed):  # noqa: F811
    with pytest.raises(ConfigError, match=r"training.devices is 2, .* use training.devices=1"):
        measured(changed({"devices": 2}))


def test_the_table_and_the_file_say_the_same(job, tmp_path):  # noqa: F811
    found = measured(job)
    lines = found.lines()
    written = json.loads(found.write(tmp_path, "train").read_text())
    assert lines[0].startswith(f"training clicks/s  {found.clicks_per_second:,.0f} (")
    assert written["clicks_per_second"] == found.clicks_per_second
    assert written["is_clean"] == found.load.is_clean
    assert lines[-1].split(maxsplit=1)[1] == found.load.line()
