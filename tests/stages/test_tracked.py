"""What MLflow has of a run, in a real store, read here without MLflow; and that a dead server changes nothing."""

import json
import shutil
import sqlite3
import time
from contextlib import closing

import pytest

from recsys.errors import DataError, Interrupted
from recsys.section import flatten
from recsys.stages.run import run
from recsys.stages.train import train
from tests.stages.workdirs import Project, small_config


def rows(project: Project, query: str) -> list[tuple]:
    with closing(sqlite3.connect(project.workdir / "mlflow.db")) as database:
        return sorted(database.execute(query).fetchall())


def test_one_run_for_one_workdir_and_how_its_last_command_ended(small_log_file, tmp_path):
    project = Project(tmp_path)
    shutil.copy(small_log_file, project.log)
    with project.session(tracking__kind="mlflow") as session:
        made = run(session)
        assert session.tracking_uri == "sqlite:///run/mlflow.db"
    [(run_id, status)] = rows(project, "select run_uuid, status from runs")
    assert status == "FINISHED"
    assert json.loads((project.workdir / "run.json").read_text())["mlflow_run_id"] == run_id
    params = dict(rows(project, "select key, value from params"))
    assert params.items() >= flatten(small_config({"tracking__kind": "mlflow"})).items()
    assert (params["dataset.users"], params["dataset.items"]) == ("60", "40")
    assert len(params["dataset.fingerprint"]) == 64
    epochs = rows(project, "select key, step from metrics where step > 0")
    logged = ("clicks_per_second", "loss", "minutes", "validation_ndcg")
    assert epochs == [(name, epoch) for name in logged for epoch in (1, 2)]
    final = dict(rows(project, "select key, value from metrics where step = 0"))
    assert final["test.NDCG_at_10"] == pytest.approx(made.evaluated.evaluation.retriever.ndcg)
    assert {"popular.NDCG_at_10", "covisitation.HR_at_10", "recommend.users_per_second"} <= final.keys()
    artifacts = {file.name for file in project.workdir.glob("mlflow-artifacts/**/*") if file.is_file()}
    bundle = {file.name for file in (project.workdir / "bundle").iterdir()}
    assert artifacts == bundle | {"data_report.json", "evaluation.json"}

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


def test_a_dead_tracking_server_costs_seconds_and_changes_nothing(project):
    record = json.loads((project.workdir / "run.json").read_text())["stages"]
    dead = {"tracking__kind": "mlflow", "tracking__uri": "http://127.0.0.1:9", "tracking__timeout_seconds": 1}
    started = time.monotonic()
    with project.session(**dead) as session:
        assert run(session, restart=True).places(session.tracking_uri)["MLflow"] == "http://127.0.0.1:9"
    assert time.monotonic() - started < 20
    again = json.loads((project.workdir / "run.json").read_text())
    assert again["mlflow_run_id"] is None
    for stage in ("prepare", "train", "evaluate"):
        assert again["stages"][stage]["output"] == record[stage]["output"]
    assert (project.workdir / "tracking-spool.jsonl").stat().st_size > 0
