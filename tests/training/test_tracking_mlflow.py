"""A real worker and a real MLflow store in SQLite, which is read here without MLflow."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from recsys.training.tracking import TrackingConfig, open_tracker
from recsys.training.tracking_spool import read_receipt

CONFIG = TrackingConfig(experiment="shop")


def rows(workdir: Path, query: str) -> list[tuple]:
    with closing(sqlite3.connect(workdir / "mlflow.db")) as database:
        return sorted(database.execute(query).fetchall())


def files(workdir: Path) -> dict[str, bytes]:
    root = workdir / "mlflow-artifacts"
    return {
        str(file.relative_to(root)).split("artifacts/")[1]: file.read_bytes()
        for file in root.rglob("*")
        if file.is_file()
    }


def test_a_run_its_reopening_and_its_refusals(tmp_path, caplog):
    (tmp_path / "bundle/index").mkdir(parents=True)
    (tmp_path / "bundle/index/items.bin").write_bytes(b"items")
    (tmp_path / "report.md").write_bytes(b"# Report")
    opening = time.monotonic()
    first = open_tracker(CONFIG, workdir=tmp_path)
    first.log_params({"model.dim": "64", "note": "x" * 9000, **{f"k{i}": str(i) for i in range(250)}})
    first.log_metrics({"loss": 2.5, "ndcg@10": 0.1}, step=1)
    first.log_metrics({"loss": 1.5}, step=2)
    first.log_tags({"source": "configs/ml-1m.yaml"})
    first.log_artifact(tmp_path / "bundle", "bundle")
    first.log_artifact(tmp_path / "report.md")
    assert time.monotonic() - opening < 1
    closing_began = time.monotonic()
    first.close("KILLED")
    assert time.monotonic() - closing_began < 15, "importing MLflow and creating its tables takes 3-6 s"
    assert caplog.text == ""
    [(run_id, status, name)] = rows(tmp_path, "select run_uuid, status, name from runs")
    assert (run_id, status, name) == (first.run_id, "KILLED", tmp_path.name)

    second = open_tracker(CONFIG, workdir=tmp_path, run_id=run_id)
    second.log_params({"model.dim": "128", "k0": "0"})
    second.log_metrics({"loss": 0.5}, step=3)
    second.log_artifact(tmp_path / "nowhere.md")
    second.close("FINISHED")
    assert second.run_id == run_id
    assert rows(tmp_path, "select run_uuid, status, start_time <= end_time from runs") == [(run_id, "FINISHED", 1)]
    params = dict(rows(tmp_path, "select key, value from params"))
    assert (params["model.dim"], params["note"], len(params)) == ("64", "x" * 6000, 252)
    tags = dict(rows(tmp_path, "select key, value from tags"))
    assert tags["changed.model.dim"] == "128"
    assert tags["source"] == "configs/ml-1m.yaml"
    assert "changed.k0" not in tags
    metrics = [("loss", 1, 2.5), ("loss", 2, 1.5), ("loss", 3, 0.5), ("ndcg_at_10", 1, 0.1)]
    assert rows(tmp_path, "select key, step, value from metrics") == metrics
    assert ("shop",) in rows(tmp_path, "select name from experiments")
    assert files(tmp_path) == {"bundle/index/items.bin": b"items", "report.md": b"# Report"}
    assert [record.message.split(": ")[1] for record in caplog.records] == ["MLflow refused 1 events, the last"]
    assert "nowhere.md" in caplog.text
    assert not (tmp_path / "tracking.log").exists()


def test_a_killed_owner_leaves_a_killed_run(tmp_path):
    code = f"""
import os, signal, time
from pathlib import Path
from recsys.training.tracking import TrackingConfig, open_tracker
workdir = Path({str(tmp_path)!r})
tracker = open_tracker(TrackingConfig(), workdir=workdir)
tracker.log_metrics({{"loss": 1.0}}, step=1)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    worker = wait_for(lambda: read_receipt(tmp_path)).worker
    wait_for(lambda: not is_alive(worker))
    assert rows(tmp_path, "select status from runs") == [("KILLED",)]
    assert rows(tmp_path, "select key, value from metrics") == [("loss", 1.0)]


def wait_for(condition, seconds=40):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)
    return value


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_a_run_that_was_deleted_is_written_anew(tmp_path):
    tracker = open_tracker(CONFIG, workdir=tmp_path)
    tracker.log_metrics({"loss": 1.0}, step=1)
    tracker.close("FINISHED")
    for file in tmp_path.glob("mlflow.db*"):
        os.unlink(file)
    again = open_tracker(CONFIG, workdir=tmp_path, run_id=tracker.run_id)
    again.close("FINISHED")
    assert rows(tmp_path, "select run_uuid, status from runs") == [(again.run_id, "FINISHED")]
    assert again.run_id != tracker.run_id
    assert rows(tmp_path, "select key, value from metrics") == [("loss", 1.0)]


@pytest.mark.slow
def test_a_database_elsewhere_gets_its_artifacts_beside_it_and_runs_of_two_workdirs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = TrackingConfig(uri=f"sqlite:///{tmp_path}/mlflow.db")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.md").write_text(name)
        tracker = open_tracker(config, workdir=Path(name))
        tracker.log_artifact(Path(name, "report.md"))
        tracker.close("FINISHED")
    assert [name for (name,) in rows(tmp_path, "select name from runs")] == ["one", "two"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mlflow-artifacts", "mlflow.db", "one", "two"]
    assert len(list((tmp_path / "mlflow-artifacts").rglob("report.md"))) == 2
