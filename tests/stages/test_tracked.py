"""What MLflow has of a run, in a real store, read here without MLflow; a dead server delays it, and changes nothing."""

import json
import shutil
import sqlite3
import time
from contextlib import closing

import pytest

from recsys.data.dataset import open_dataset
from recsys.errors import DataError, Interrupted
from recsys.section import flatten
from recsys.stages.prepare import prepare
from recsys.stages.run import Everything, run
from recsys.stages.suited import suited
from recsys.stages.train import train
from recsys.training.tracking_spool import without_password
from tests.stages.workdirs import Project, small_config


def rows(project: Project, query: str) -> list[tuple]:
    with closing(sqlite3.connect(project.workdir / "mlflow.db")) as database:
        return sorted(database.execute(query).fetchall())


def assert_all_of_it_is_tracked(project: Project, made: Everything) -> None:
    """What every stage had to tell, once."""
    params = dict(rows(project, "select key, value from params"))
    configured = flatten(suited(small_config({}), open_dataset(project.workdir / "dataset")))
    assert params.items() >= {key: value for key, value in configured.items() if "tracking." not in key}.items()
    assert (params["dataset.users"], params["dataset.items"]) == ("60", "40")
    assert len(params["dataset.fingerprint"]) == 64
    epochs = rows(project, "select key, step from metrics where step > 0")
    logged = ("clicks_per_second", "loss", "minutes", "validation_ndcg")
    assert epochs == [(name, epoch) for name in logged for epoch in (1, 2)]
    final = dict(rows(project, "select key, value from metrics where step = 0"))
    assert final["test.NDCG_at_10"] == pytest.approx(made.evaluated.evaluation.retriever.metrics["NDCG@10"].value)
    assert {"popular.NDCG_at_10", "covisitation.HR_at_10.low", "recommend.users_per_second"} <= final.keys()
    assert {
        "test.coverage_at_10",
        "test.calibration_error",
        "item_knn.gini_at_10",
        "test.target seen before.first-seen.HR_at_10",
    } <= final.keys()
    artifacts = {file.name for file in project.workdir.glob("mlflow-artifacts/**/*") if file.is_file()}
    bundle = {file.name for file in (project.workdir / "bundle").iterdir()}
    tables = {"lists.parquet", "truth.parquet", "ranks.parquet"}
    assert artifacts == bundle | tables | {"data_report.json", "evaluation.json", "report.html"}


def test_one_run_for_one_workdir_and_how_its_last_command_ended(small_log_file, tmp_path):
    project = Project(tmp_path)
    shutil.copy(small_log_file, project.log)
    with project.session(tracking__kind="mlflow") as session:
        made = run(session)
        assert session.tracking_uri == "sqlite:///run/mlflow.db"
    [(run_id, status)] = rows(project, "select run_uuid, status from runs")
    assert status == "FINISHED"
    assert json.loads((project.workdir / "run.json").read_text())["mlflow_run_id"] == run_id
    assert_all_of_it_is_tracked(project, made)

    with project.session(tracking__kind="mlflow") as session:
        spooled = (project.workdir / "tracking-spool.jsonl").stat().st_size
        run(session)
    assert (project.workdir / "tracking-spool.jsonl").stat().st_size == spooled, "nothing was done, nothing is told"
    for error, ending in ((Interrupted(15), "KILLED"), (DataError("as an example"), "FAILED")):
        with pytest.raises(type(error)), project.session(tracking__kind="mlflow") as session:
            train(session)
            session.tracker.log_tags({"ending": ending})
            raise error
        assert rows(project, "select run_uuid, status from runs") == [(run_id, ending)]


@pytest.mark.slow
def test_a_dead_tracking_server_costs_seconds_and_the_next_command_delivers(finished, small_log_file, tmp_path):
    project = Project(tmp_path)
    shutil.copy(small_log_file, project.log)
    dead = {
        "tracking__kind": "mlflow",
        "tracking__uri": "http://ada:secret@127.0.0.1:9",
        "tracking__timeout_seconds": 1,
    }
    started = time.monotonic()
    with project.session(**dead) as session:
        made = run(session)
        assert made.places(session.tracking_uri)["MLflow"] == "http://***@127.0.0.1:9"
    assert time.monotonic() - started < 30
    assert not [file for file in project.workdir.rglob("*") if file.is_file() and b"secret" in file.read_bytes()]
    here, there = (json.loads((one.workdir / "run.json").read_text()) for one in (project, finished))
    assert here["mlflow_run_id"] is None
    for stage in ("prepare", "train", "evaluate", "index"):
        assert here["stages"][stage]["output"] == there["stages"][stage]["output"]
    assert not (project.workdir / "mlflow.db").exists()

    with project.session(tracking__kind="mlflow") as session:
        prepare(session)
    assert [line.endswith("not done again") for line in project.told] == [True]
    [(run_id, status)] = rows(project, "select run_uuid, status from runs")
    assert status == "FINISHED"
    assert json.loads((project.workdir / "run.json").read_text())["mlflow_run_id"] == run_id
    assert_all_of_it_is_tracked(project, made)
    spooled = (project.workdir / "tracking-spool.jsonl").stat().st_size
    with project.session(tracking__kind="mlflow") as session:
        prepare(session)
    assert (project.workdir / "tracking-spool.jsonl").stat().st_size == spooled, "nothing is owed any more"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("http://ada:secret@host/x and ftp://ada@host", "http://***@host/x and ftp://***@host"),
        ("http://ada:p@ssword@host:80/a@b", "http://***@host:80/a@b"),
        ("sqlite:///runs@home/mlflow.db", "sqlite:///runs@home/mlflow.db"),
    ],
)
def test_a_password_is_hidden_and_a_path_is_not(text, told):
    assert without_password(text) == told
