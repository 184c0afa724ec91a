"""A signal while training: a checkpoint, 128 plus the signal's number, and the same command goes on from there."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from recsys.errors import Interrupted
from tests.pipelines.commands import command, start

TRAIN = ["train", "my.yaml", "training.max_epochs=60", "training.patience=1000"]


@pytest.fixture
def prepared(finished_home: Path, tmp_path: Path) -> Path:
    """The dataset is there, and nothing else."""
    for name in ("my.yaml", "clicks.parquet", "items.csv", "run/run.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(finished_home / name, tmp_path / name)
    shutil.copytree(finished_home / "run/dataset", tmp_path / "run/dataset")
    return tmp_path


@pytest.mark.slow
def test_a_stopped_training_goes_on_with_the_same_command_to_the_same_weights(prepared):
    whole = prepared / "whole"
    shutil.copytree(prepared / "run", whole)
    stop_training(prepared, "epoch 3:", signal.SIGINT, 130)
    told = stop_training(prepared, "epoch 6:", signal.SIGTERM, 143)
    assert any("going on from run/model/last.ckpt" in line for line in told)
    last = command(prepared, *TRAIN)
    assert last.returncode == 0, last.stderr
    assert "going on from run/model/last.ckpt" in last.stderr
    assert "epoch 5:" not in last.stderr
    assert "60 epochs, " in last.stdout
    assert not (prepared / "run/model/last.ckpt").exists()

    uninterrupted = command(prepared, *TRAIN, "workdir=whole")
    assert uninterrupted.returncode == 0, uninterrupted.stderr
    assert "going on" not in uninterrupted.stderr
    weights = [workdir / "model/best/retriever.safetensors" for workdir in (prepared / "run", whole)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def stop_training(home: Path, line: str, number: int, code: int) -> list[str]:
    """Sends the signal once the line is told; returns what was told."""
    with start(home, *TRAIN) as process:
        assert process.stderr is not None
        told = []
        for text in process.stderr:
            told.append(text)
            if text.startswith(line):
                break
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert out == ""
    assert err.splitlines()[-1] == f"error: {Interrupted(number)}"
    assert "Traceback" not in err
    assert "epoch 60:" not in err, "the signal missed its window"
    assert (home / "run/model/last.ckpt").is_file()
    assert "best" not in os.listdir(home / "run/model")
    return told
