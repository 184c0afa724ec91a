"""Killed anywhere, training goes on to the weights of the uninterrupted run, bit for bit."""

import os
import random
import signal

import pytest

from recsys import durable
from recsys.errors import BundleError, ConfigError, Interrupted
from recsys.training.checkpoints import LAST, PREVIOUS, newest_checkpoint
from recsys.training.clock import Clock
from recsys.training.engine import fit
from recsys.training.hardware import Hardware
from recsys.training.outcome import load_best
from recsys.training.validation import Validator
from tests.processes import in_a_child
from tests.training.conftest import assert_same_weights

EVERY_STEP = {"checkpoint_minutes": 1e-9}


def quiet(message: str) -> None:
    pass


def signalled_at(step: int, number: int, monkeypatch) -> None:
    """This process sends itself a signal at the end of a training step."""
    usual = Clock.on_train_batch_end

    def on_train_batch_end(self: Clock, *arguments) -> None:
        if self.progress.step == step:
            os.kill(os.getpid(), number)
        usual(self, *arguments)

    monkeypatch.setattr(Clock, "on_train_batch_end", on_train_batch_end)


@pytest.fixture
def uninterrupted(changed, tmp_path):
    job = changed(EVERY_STEP, directory=tmp_path / "uninterrupted")
    return job, fit(job, tell=quiet)


def test_the_same_job_twice_gives_the_same_weights(job, changed, tmp_path):
    again = changed(directory=tmp_path / "again")
    first, second = fit(job, tell=quiet), fit(again, tell=quiet)
    assert_same_weights(job.directory, again.directory)
    assert [record.loss for record in first.history] == [record.loss for record in second.history]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_checkpoint_and_the_resumed_run_is_the_uninterrupted_one(
    number, uninterrupted, changed, tmp_path
):
    whole, outcome = uninterrupted
    job = changed(EVERY_STEP, directory=tmp_path / "stopped")
    with pytest.MonkeyPatch.context() as patch:
        signalled_at(outcome.steps // 2, number, patch)
        with pytest.raises(Interrupted) as stopped:
            fit(job, tell=quiet)
    assert stopped.value.exit_code == 128 + number
    told: list[str] = []
    resumed = fit(job, tell=told.append)
    assert "going on from" in told[0]
    assert_same_weights(whole.directory, job.directory)
    assert [record.epoch for record in resumed.history] == [1, 2, 3]
    assert [record.loss for record in resumed.history] == pytest.approx([record.loss for record in outcome.history])
    assert resumed.steps == outcome.steps
    assert resumed.clicks == outcome.clicks


@pytest.mark.slow
def test_killed_at_twenty_random_steps(uninterrupted, changed, tmp_path, monkeypatch):
    whole, outcome = uninterrupted
    for step in sorted(random.Random(7).sample(range(1, outcome.steps), 20)):
        job = changed(EVERY_STEP, directory=tmp_path / f"killed-{step}")

        def work(job=job, step=step) -> None:
            signalled_at(step, signal.SIGKILL, monkeypatch)
            fit(job, tell=quiet)

        assert in_a_child(work) == -signal.SIGKILL, f"the kill at step {step} missed its window"
        assert newest_checkpoint(job.directory) is not None
        fit(job, tell=quiet)
        assert_same_weights(whole.directory, job.directory)


@pytest.mark.slow
def test_killed_at_durable_writes_until_the_end(uninterrupted, changed, tmp_path, monkeypatch):
    """Each of the first, then every third: what is written alternates, so that each kind comes up."""
    whole, outcome = uninterrupted
    for nth in [*range(1, 16), *range(16, 10_000, 3)]:
        job = changed(EVERY_STEP, directory=tmp_path / f"killed-{nth}")

        def work(job=job, nth=nth) -> None:
            steps = iter(range(1, 10_000))

            def kill_at_nth(_) -> None:
                if next(steps) == nth:
                    os.kill(os.getpid(), signal.SIGKILL)

            monkeypatch.setattr(durable, "before_write", kill_at_nth)
            fit(job, tell=quiet)

        ended = in_a_child(work)
        fit(job, tell=quiet)
        assert_same_weights(whole.directory, job.directory)
        if ended == 0:
            break
        assert ended == -signal.SIGKILL, f"the kill at write {nth} missed its window"
    assert nth > 2 * outcome.steps


def test_killed_in_every_validation(uninterrupted, changed, tmp_path, monkeypatch):
    whole, outcome = uninterrupted
    for nth in range(1, len(outcome.history) + 1):
        job = changed(EVERY_STEP, directory=tmp_path / f"killed-{nth}")

        def work(job=job, nth=nth) -> None:
            validations = iter(range(1, 100))
            usual = Validator.__call__

            def validate(self: Validator, retriever) -> float:
                if next(validations) == nth:
                    os.kill(os.getpid(), signal.SIGKILL)
                return usual(self, retriever)

            monkeypatch.setattr(Validator, "__call__", validate)
            fit(job, tell=quiet)

        assert in_a_child(work) == -signal.SIGKILL
        resumed = fit(job, tell=quiet)
        assert_same_weights(whole.directory, job.directory)
        assert [record.loss for record in resumed.history] == pytest.approx([r.loss for r in outcome.history])


def stop_half_way(job, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        signalled_at(5, signal.SIGTERM, patch)
        with pytest.raises(Interrupted):
            fit(job, tell=quiet)


def test_a_finished_training_is_not_redone(job):
    first = fit(job, tell=quiet)
    told: list[str] = []
    assert fit(job, tell=told.append) == first
    assert told == []


def test_resuming_with_another_configuration_names_the_key(changed, monkeypatch):
    stop_half_way(changed(EVERY_STEP), monkeypatch)
    with pytest.raises(ConfigError, match=r"model\.dim was 8, is 16.*--restart"):
        fit(changed(EVERY_STEP, {"dim": 16}), tell=quiet)
    fit(changed(EVERY_STEP, {"dim": 16}), restart=True, tell=quiet)
    assert load_best(changed().directory).config.dim == 16


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(changed, monkeypatch, uninterrupted):
    job = changed(EVERY_STEP)
    stop_half_way(job, monkeypatch)
    flip(job.directory / LAST)
    assert newest_checkpoint(job.directory) == job.directory / PREVIOUS
    fit(job, tell=quiet)
    assert_same_weights(uninterrupted[0].directory, job.directory)


def test_a_damaged_checkpoint_never_takes_the_place_of_a_good_one(changed, monkeypatch):
    job = changed(EVERY_STEP)
    stop_half_way(job, monkeypatch)
    flip(job.directory / LAST)
    good = (job.directory / PREVIOUS).read_bytes()
    assert newest_checkpoint(job.directory) == job.directory / PREVIOUS
    assert not (job.directory / LAST).exists()
    assert (job.directory / PREVIOUS).read_bytes() == good


def test_a_restart_that_is_killed_leaves_nothing_that_passes_for_a_model(job, changed, monkeypatch):
    fit(job, tell=quiet)

    def killed(*_) -> None:
        (job.directory / "identity.json").unlink()
        raise KeyboardInterrupt

    other = changed(model={"dim": 16})
    with monkeypatch.context() as patch:
        patch.setattr("recsys.training.engine.shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            fit(other, restart=True, tell=quiet)
    fit(other, tell=quiet)
    assert load_best(other.directory).config.dim == 16


def test_a_checkpoint_of_another_format_is_refused(changed, monkeypatch):
    stop_half_way(changed(EVERY_STEP), monkeypatch)
    monkeypatch.setattr("recsys.training.checkpoints.FORMAT_VERSION", 1_000)
    with pytest.raises(BundleError, match=r"last\.ckpt has format \d+, and this version goes on from 1000.*--restart"):
        fit(changed(EVERY_STEP), tell=quiet)


def test_another_precision_is_refused(changed, monkeypatch):
    stop_half_way(changed(EVERY_STEP), monkeypatch)
    monkeypatch.setattr("recsys.training.engine.choose_hardware", lambda _: Hardware("cpu", 1, "bf16-mixed", threads=1))
    with pytest.raises(ConfigError, match=r"training\.precision was 32-true.*is bf16-mixed here.*--restart"):
        fit(changed(EVERY_STEP), tell=quiet)


def test_only_damaged_checkpoints_are_refused_by_name(changed, monkeypatch):
    job = changed(EVERY_STEP)
    stop_half_way(job, monkeypatch)
    flip(job.directory / LAST)
    flip(job.directory / PREVIOUS)
    with pytest.raises(BundleError, match=r"last\.ckpt is damaged.*--restart"):
        fit(job, tell=quiet)


def flip(path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
