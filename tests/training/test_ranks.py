"""Several processes: their signals, their mistakes, and what comes of them."""

import os
import signal
import threading

import pytest

from recsys.errors import Interrupted, UserError
from recsys.training.checkpoints import LAST
from recsys.training.engine import fit
from tests.training.conftest import assert_same_weights

pytestmark = pytest.mark.slow
TWO = {"devices": 2, "checkpoint_minutes": 1e-9, "max_epochs": 40, "patience": 40}


def quiet(message: str) -> None:
    pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_all_ranks_and_the_next_command_goes_on(number, changed, tmp_path):
    whole = changed(TWO, directory=tmp_path / "whole")
    fit(whole, tell=quiet)
    job = changed(TWO, directory=tmp_path / "stopped")
    watcher = threading.Thread(target=signal_once_saved, args=(job.directory / LAST, number))
    watcher.start()
    with pytest.raises(Interrupted) as stopped:
        fit(job, tell=quiet)
    watcher.join()
    assert stopped.value.exit_code == 128 + number
    told: list[str] = []
    fit(job, tell=told.append)
    assert "going on from" in told[0]
    assert_same_weights(whole.directory, job.directory)


def signal_once_saved(checkpoint, number: int) -> None:
    pause = threading.Event()
    while not checkpoint.exists():
        pause.wait(0.005)
    os.kill(os.getpid(), number)


def test_a_mistake_found_by_a_rank_is_told_as_one(changed):
    job = changed({"devices": 2, "optimizer": {"learning_rate": 1e30, "clip_norm": 1e30}})
    with pytest.raises(UserError, match=r"training diverged.*learning_rate"):
        fit(job, tell=quiet)
