"""`recsys benchmark` as a user types it."""

import json
import signal

import pytest

from tests.pipelines.commands import assert_one_message, command, start
from tests.pipelines.test_belief import own_home  # noqa: F401


def written(home) -> dict[str, int]:
    """When each file of the run was, but for the benchmark's own and the lock."""
    files = [path for path in (home / "run").rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path): path.stat().st_mtime_ns for path in files if path.parent.name != "benchmark"}


@pytest.mark.slow
def test_training_is_measured_and_nothing_else_is_touched(own_home):  # noqa: F811
    before = written(own_home)
    done = command(own_home, "benchmark", "train", "my.yaml", "--seconds", "0.2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("training clicks/s")
    assert done.stdout.endswith("written to run/benchmark/train.json\n")
    assert json.loads((own_home / "run/benchmark/train.json").read_text())["clicks_per_second"] > 0
    assert written(own_home) == before


@pytest.mark.slow
def test_recommending_is_measured_and_nothing_else_is_touched(own_home):  # noqa: F811
    before = written(own_home)
    done = command(own_home, "benchmark", "recommend", "my.yaml", "--repeats", "2")
    assert done.returncode == 0, done.stderr
    found = json.loads((own_home / "run/benchmark/recommend.json").read_text())
    assert (len(found["runs"]), found["num_users"], found["k"]) == (2, 60, 10)
    assert found["users_per_second"] == sum(found["runs"]) / 2
    assert 0.9 < sum(found["shares"].values()) < 1.5
    assert written(own_home) == before


@pytest.mark.slow
def test_what_is_missing_is_told_with_what_to_run(home):
    assert_one_message(command(home, "benchmark", "train", "my.yaml"), "run `recsys prepare my.yaml` first")
    assert command(home, "prepare", "my.yaml").returncode == 0
    assert_one_message(command(home, "benchmark", "recommend", "my.yaml"), "run `recsys train my.yaml` first")


@pytest.mark.parametrize("seconds", ["0", "nan", "inf", "soon"])
def test_impossible_options_are_refused(home, seconds):
    done = command(home, "benchmark", "train", "my.yaml", "--seconds", seconds)
    assert done.returncode == 2
    assert "--seconds" in done.stderr


def test_mixers_are_measured_side_by_side_and_the_workdir_is_left_alone(home):
    done = command(home, "benchmark", "mixers", "my.yaml", "model.dim=4", "--lengths", "8", "--out", "mixers")
    assert done.returncode == 0, done.stderr
    assert "my (1 of 1), 500 x 8 clicks: " in done.stderr
    assert done.stdout.endswith("written to mixers/benchmark/mixers.json\nwritten to mixers/benchmark/mixers.svg\n")
    found = json.loads((home / "mixers/benchmark/mixers.json").read_text())
    assert (found["dim"], found["mixers"][0]["kind"]) == (4, "rotary")
    assert not (home / "run").exists()


def test_mixers_that_cannot_be_measured_are_refused(home):
    assert_one_message(command(home, "benchmark", "mixers", "model.dim=4"), "takes one configuration or more")
    for option, found in (
        ("--lengths", "0,50"),
        ("--lengths", ""),
        ("--seeds", "-1"),
        ("--minutes", "-1"),
        ("--best", "0"),
    ):
        done = command(home, "benchmark", "mixers", "my.yaml", option, found)
        assert done.returncode == 2
        assert option in done.stderr


def test_a_measurement_that_is_stopped_leaves_nothing(own_home):  # noqa: F811
    before = written(own_home)
    process = start(own_home, "benchmark", "train", "my.yaml", "--seconds", "60")
    for line in process.stderr:
        if line.startswith("training on"):
            break
    assert (own_home / "run").is_dir()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.endswith("error: stopped (SIGINT); the measurement is thrown away\n")
    assert written(own_home) == before
