"""A signal after the last step, while the last epoch is validated, is obeyed too; and handlers are given back."""

import os
import signal

import pytest

from recsys.errors import Interrupted
from recsys.training.engine import fit
from recsys.training.validation import Validator
from tests.training.conftest import assert_same_weights


def quiet(message: str) -> None:
    pass


def test_a_signal_in_the_last_validation_stops_and_the_next_command_finishes(job, changed, monkeypatch, tmp_path):
    whole = changed(directory=tmp_path / "whole")
    fit(whole, tell=quiet)
    validations = iter(range(1, 100))
    usual = Validator.__call__

    def interrupted(self: Validator, retriever):
        if next(validations) == job.training.max_epochs:
            os.kill(os.getpid(), signal.SIGTERM)
        return usual(self, retriever)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with monkeypatch.context() as patch:
        patch.setattr(Validator, "__call__", interrupted)
        with pytest.raises(Interrupted) as stopped:
            fit(job, tell=quiet)
    assert stopped.value.exit_code == 143
    assert {number: signal.getsignal(number) for number in before} == before
    outcome = fit(job, tell=quiet)
    assert [record.epoch for record in outcome.history] == [1, 2, 3]
    assert_same_weights(whole.directory, job.directory)


def test_an_error_in_training_gives_the_handlers_back(job, monkeypatch):
    def fail(*_):
        raise ValueError("as an example")

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(Validator, "__call__", fail)
    with pytest.raises(ValueError, match="as an example"):
        fit(job, tell=quiet)
    assert {number: signal.getsignal(number) for number in before} == before
