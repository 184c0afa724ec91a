"""The owner's half of tracking, without MLflow: what is written, what is said, and that nothing waits."""

import json
import logging
import math
import subprocess
import sys
import time

import pytest
from pydantic import ValidationError

from recsys.training.tracking import TrackingConfig, open_tracker
from recsys.training.tracking_delivery import Delivery, Refused, Unreachable
from recsys.training.tracking_spool import Assignment, Metrics, Spool, Status, Tags, now, read_receipt
from recsys.training.tracking_spooled import SpooledTracking

PASSWORD_URI = "http://ada:secret@127.0.0.1:9"


@pytest.fixture
def assignment(tmp_path):
    return Assignment(workdir=tmp_path, uri=PASSWORD_URI, experiment="recsys", run_id=None)


@pytest.fixture
def tracking(assignment):
    """A tracker whose worker is the given Python code."""

    def make(code: str) -> SpooledTracking:
        return SpooledTracking(assignment, command=[sys.executable, "-c", code], environment={}, timeout_seconds=1)

    return make


def spooled(workdir) -> list[dict]:
    return [json.loads(line) for line in (workdir / "tracking-spool.jsonl").read_text().splitlines()]


class Shelf:
    """A store in memory; `answers` are raised, one for each delivery, where they are errors."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.events: list = []
        self.known: list[str | None] = []

    def connect(self, known_run_id, key):
        self.known.append(known_run_id)
        return known_run_id or f"run-{key}"

    def deliver(self, event):
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        self.events.append(event)


def deliver(assignment, shelf) -> Shelf:
    Delivery(assignment).run(lambda: shelf, has_gone=lambda _: True)
    return shelf


def ended(workdir, *events) -> list:
    """A spool that holds these events, and that its run has ended."""
    spool = Spool(workdir)
    spool.mend()
    told = [*events, Status(status="FINISHED", time=now())]
    for event in told:
        spool.append(event)
    return told


def test_importing_the_tracker_imports_no_mlflow():
    code = "import sys, recsys.training.tracking; print({'mlflow', 'torch', 'sqlalchemy'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_tracker_that_is_off_writes_nothing(tmp_path):
    tracker = open_tracker(TrackingConfig(kind="none"), workdir=tmp_path)
    tracker.log_params({"seed": "1"})
    tracker.log_metrics({"loss": 1.0}, step=1)
    tracker.close("FINISHED")
    assert tracker.run_id is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", [{"timeout_seconds": 0}, {"kind": "wandb"}, {"url": "http://x"}])
def test_impossible_sections_are_refused(key):
    with pytest.raises(ValidationError):
        TrackingConfig.model_validate(key)


def test_infinite_values_become_tags_and_passwords_are_hidden(tracking, tmp_path):
    tracker = tracking("input()")
    tracker.log_metrics({"loss": math.inf, "ndcg": 0.5}, step=3)
    tracker.log_params({"tracking.uri": PASSWORD_URI})
    tracker.close("FINISHED")
    _, metrics, tags, params, _ = spooled(tmp_path)
    assert (metrics["values"], metrics["step"]) == ({"ndcg": 0.5}, 3)
    assert tags["values"] == {"non_finite.loss": "inf at step 3"}
    assert params["values"] == {"tracking.uri": "http://***@127.0.0.1:9"}
    assert not [file for file in tmp_path.iterdir() if b"secret" in file.read_bytes()]


def test_a_directory_is_spooled_file_by_file_and_relative_to_the_workdir(tracking, tmp_path):
    (tmp_path / "bundles/v1/index").mkdir(parents=True)
    (tmp_path / "bundles/v1/index/items.bin").write_bytes(b"1")
    (tmp_path / "bundles/v1/weights").write_bytes(b"2")
    (tmp_path / "bundle").symlink_to("bundles/v1")
    tracker = tracking("input()")
    tracker.log_artifact(tmp_path / "bundle", "bundle")
    tracker.log_artifact(tmp_path / "bundles/v1/weights")
    tracker.close("FINISHED")
    places = [(event["path"], event["folder"]) for event in spooled(tmp_path) if event["kind"] == "artifact"]
    assert places == [
        ("bundles/v1/index/items.bin", "bundle/index"),
        ("bundles/v1/weights", "bundle"),
        ("bundles/v1/weights", "."),
    ]


def test_a_worker_that_dies_is_one_warning_with_its_last_words(tracking, tmp_path, caplog):
    tracker = tracking("raise SystemExit('no module named mlflow')")
    for step in range(200):
        tracker.log_metrics({"loss": 1.0}, step=step)
        time.sleep(0.005)
    tracker.close("FAILED")
    tracker.close("FINISHED")
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "no module named mlflow" in record.message
    assert "tracking-spool.jsonl and delivered by the next command" in record.message
    assert "secret" not in record.message
    assert [event["kind"] for event in spooled(tmp_path)] == ["status", *["metrics"] * 200, "status"]


def test_a_worker_that_hangs_is_killed_in_time(tracking, monkeypatch, caplog):
    monkeypatch.setattr("recsys.training.tracking_courier.STARTING_SECONDS", 0.5)
    tracker = tracking("import time; time.sleep(600)")
    started = time.monotonic()
    tracker.close("FINISHED")
    assert time.monotonic() - started < 2
    assert tracker.courier.process.poll() is not None
    assert "it did not take everything in time" in caplog.text


def test_a_program_that_is_not_there_or_a_workdir_that_is_a_file_is_a_warning(assignment, tmp_path, caplog):
    SpooledTracking(assignment, command=["/no/python"], environment={}, timeout_seconds=1).close("FINISHED")
    assert "/no/python" in caplog.text
    (tmp_path / "file").write_text("")
    caplog.clear()
    tracker = open_tracker(TrackingConfig(), workdir=tmp_path / "file", run_id="abc")
    tracker.log_params({"seed": "1"})
    tracker.close("FINISHED")
    assert tracker.run_id == "abc"
    assert len(caplog.records) == 1


def test_a_second_worker_delivers_only_what_is_new_to_the_same_run(assignment, tmp_path):
    first = ended(tmp_path, Tags(values={"a": "1"}))
    one = deliver(assignment, Shelf())
    second = ended(tmp_path, Tags(values={"b": "2"}))
    other = deliver(assignment, Shelf())
    assert (one.events, other.events) == (first, second)
    assert one.known == [None]
    assert other.known == [read_receipt(tmp_path).run_id]


def test_another_place_or_another_run_gets_the_whole_spool(assignment, tmp_path):
    told = ended(tmp_path, Tags(values={"a": "1"}))
    deliver(assignment, Shelf())
    for change in ({"uri": "http://elsewhere"}, {"run_id": "given"}):
        assert deliver(assignment.model_copy(update=change), Shelf()).events == told


def test_unreachable_keeps_an_event_and_refused_passes_it_over(assignment, tmp_path):
    told = ended(tmp_path, Tags(values={"a": "1"}), Tags(values={"b": "2"}))
    down = deliver(assignment, Shelf(None, Unreachable("down")))
    assert down.events == told[:1]
    assert read_receipt(tmp_path).failure == "down"
    up = deliver(assignment, Shelf(Refused("too long")))
    assert up.events == told[2:]
    receipt = read_receipt(tmp_path)
    assert (receipt.failure, receipt.refused, receipt.refusal) == (None, 1, "too long")
    assert receipt.delivered == Spool(tmp_path).size()


def test_a_line_torn_by_a_kill_costs_that_line(assignment, tmp_path):
    first = ended(tmp_path, Metrics(values={"loss": 1.0}, step=1, time=1))
    with (tmp_path / "tracking-spool.jsonl").open("a") as file:
        file.write('{"kind": "metr')
    second = ended(tmp_path, Tags(values={"b": "2"}))
    assert deliver(assignment, Shelf()).events == first + second


def test_an_owner_that_went_without_a_word_was_killed(assignment, tmp_path):
    Spool(tmp_path).append(Status(status="RUNNING", time=now()))
    assert [event.status for event in deliver(assignment, Shelf()).events] == ["RUNNING", "KILLED"]
