"""What is done and unchanged is not done again; what is stale is an error that says what to run."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from recsys.errors import BundleError, ConfigError, DataError, StaleError
from recsys.stages.evaluate import evaluate
from recsys.stages.index import index
from recsys.stages.prepare import prepare
from recsys.stages.recommend import recommend
from recsys.stages.record import Stage
from recsys.stages.run import run
from recsys.stages.train import train
from tests.stages.workdirs import Project


def clip_log(project: Project) -> None:
    pl.read_parquet(project.log).head(600).write_parquet(project.log)


def test_run_twice_does_nothing_the_second_time_and_says_so(project):
    before = project.files()
    with project.session() as session:
        again = run(session)
    written = {name for name, stat in project.files().items() if before.get(name) != stat}
    assert written <= {"run.json", "recommendations/job.json"}
    skipped = [line.split(":")[0] for line in project.told if line.endswith("not done again")]
    assert skipped == ["prepare", "train", "evaluate", "index"]
    assert "all 1 parts are there already; nothing to do" in project.told[-1]
    assert again.trained.outcome.history[-1].epoch == 2
    assert again.recommended.result.num_users == 60


def test_what_a_stage_shows_is_the_same_when_it_was_not_done_again(project):
    with project.session() as session:
        first, second = (run(session, restart=restart) for restart in (True, False))
    assert first.prepared.lines() == second.prepared.lines()
    assert first.evaluated.lines() == second.evaluated.lines()
    assert first.published.lines() == second.published.lines()
    assert first.published.example_item == second.published.example_item


def test_an_unchanged_log_is_not_prepared_again_though_its_file_is_new(project):
    project.log.write_bytes(project.log.read_bytes())
    before = project.files()
    with project.session() as session:
        prepared = prepare(session)
    assert project.told == [f"prepare: nothing has changed since {finished_at(project, 'prepare')}; not done again"]
    assert project.files() == before
    assert prepared.report.kept > 700


def finished_at(project: Project, stage: str) -> str:
    return json.loads((project.workdir / "run.json").read_text())["stages"][stage]["finished"]


def test_a_changed_log_is_prepared_again_and_makes_later_stages_stale(project):
    clip_log(project)
    with project.session() as session:
        assert prepare(session).report.kept == 600
    assert project.told[0] == "reading clicks.parquet"
    stages = {evaluate: "train", index: "train", recommend: "index"}
    for stage in stages:
        with project.session() as session, pytest.raises(StaleError) as refused:
            stage(session)
        assert "run/model is stale (the prepared dataset has changed)" in str(refused.value)
        assert str(refused.value).endswith("run `recsys train my.yaml` first")
    with project.session() as session:
        run(session)
    assert "training anew: the prepared dataset has changed" in project.told


@pytest.mark.parametrize(
    ("overrides", "stage", "told"),
    [
        ({"seed": 2}, train, "run/dataset is stale (seed was 0, is 2): run `recsys prepare my.yaml` first"),
        ({"data__events__min_clicks__per_user": 3}, evaluate, "run/dataset is stale (data.events.min_clicks.per_user "
         "was 1, is 3): run `recsys prepare my.yaml` first"),
        ({"model__dim": 16}, evaluate, "run/model is stale (model.dim was 8, is 16): run `recsys train my.yaml` first"),
        ({"training__max_epochs": 3}, index, "run/model is stale (training.max_epochs was 2, is 3): run `recsys train"),
        ({"evaluation__list_length": 7}, index, "run/evaluation.json is stale (evaluation.list_length was 100, is 7): "
         "run `recsys evaluate my.yaml` first"),
    ],
)  # fmt: skip
def test_a_changed_key_makes_what_depends_on_it_stale_and_is_named(overrides, stage, told, project):
    before = project.files()
    with project.session(**overrides) as session, pytest.raises(StaleError) as refused:
        stage(session)
    assert told in str(refused.value)
    assert project.files() == before


def test_keys_that_change_nothing_make_nothing_stale(project):
    harmless = {"training__threads": None, "training__checkpoint_minutes": 5, "recommend__part_size": 7}
    with project.session(**harmless) as session:
        evaluate(session)
        index(session)
    assert [line.endswith("not done again") for line in project.told] == [True, True]


def test_another_k_is_recommended_anew_from_the_same_bundle(project):
    with project.session(recommend__k=3) as session:
        run(session)
    assert sum(line.endswith("not done again") for line in project.told) == 4
    lists = pl.read_parquet(project.workdir / "recommendations" / "*.parquet")
    assert lists["rank"].max() == 3
    assert lists["user_id"].n_unique() == 60


@pytest.mark.parametrize(
    ("missing", "stage", "told"),
    [
        ("dataset/dataset.json", train, "run/dataset is missing: run `recsys prepare my.yaml` first"),
        ("evaluation.json", index, "run/evaluation.json is missing: run `recsys evaluate my.yaml` first"),
        ("bundle", recommend, "run/bundle is missing: run `recsys index my.yaml` first"),
        ("run.json", evaluate, "run/dataset is not finished: run `recsys prepare my.yaml` first"),
    ],
)
def test_a_stage_says_what_has_to_run_before_it(missing, stage, told, project):
    (project.workdir / missing).unlink()
    with project.session() as session, pytest.raises(StaleError) as refused:
        stage(session)
    assert str(refused.value) == told


def test_an_evaluation_that_somebody_edited_is_not_published(project):
    file = project.workdir / "evaluation.json"
    file.write_text(file.read_text().replace("0", "9", 1))
    with project.session() as session, pytest.raises(StaleError, match=r"is not what `recsys evaluate` left there"):
        index(session)
    with project.session() as session:
        run(session)


def test_a_model_that_somebody_changed_is_refused_until_it_is_trained_anew(project):
    weights = next((project.workdir / "model/best").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[::-1])
    with project.session() as session, pytest.raises(StaleError, match=r"run `recsys train my.yaml --restart` first"):
        evaluate(session)
    with project.session() as session, pytest.raises(BundleError, match=r"run/model is not what `recsys train` left"):
        train(session)
    with project.session() as session:
        train(session, restart=True)
        evaluate(session)


def test_training_under_another_configuration_names_the_key_and_offers_restart(project):
    (project.workdir / "model" / "training.json").unlink()
    with project.session(model__dim=16) as session, pytest.raises(ConfigError) as refused:
        train(session)
    assert "run/model holds an unfinished training of another configuration: model.dim was 8" in str(refused.value)
    assert "--restart" in str(refused.value)
    with project.session(model__dim=16) as session:
        train(session, restart=True)
        evaluate(session)
    assert Stage.INDEX in session.record.stages


def test_a_log_that_is_refused_leaves_the_dataset_that_was_there(project):
    project.log.write_bytes(b"not Parquet")
    before = project.files()
    with project.session() as session, pytest.raises(DataError, match=r"clicks\.parquet cannot be read as Parquet"):
        prepare(session)
    assert project.files() == before
    with project.session() as session:
        train(session)


def test_the_record_says_what_ran_when_and_on_what(project):
    record = json.loads((project.workdir / "run.json").read_text())
    assert record["format_version"] == 1
    ran = [stage for stage in Stage if stage not in {Stage.RANK, Stage.BLEND}]
    assert ran == sorted(record["stages"], key=list(Stage).index)
    finished = [record["stages"][stage]["finished"] for stage in ran]
    assert finished == sorted(finished)
    assert datetime.now(UTC) - datetime.fromisoformat(finished[0]) < timedelta(minutes=30)
    trained = record["stages"]["train"]["inputs"]
    assert (trained["model.dim"], trained["seed"], trained["training.max_epochs"]) == ("8", "0", "2")
    assert trained["the prepared dataset"] == record["stages"]["prepare"]["output"]
    assert record["stages"]["recommend"]["inputs"]["the bundle"] == record["stages"]["index"]["output"]
    assert record["stages"]["index"]["output"] == (project.workdir / "bundle").resolve().name
    assert len(record["stages"]["prepare"]["sources"]) == 64


@pytest.mark.parametrize("damage", ["{", '{"format_version": 2}', '{"stages": {"prepare": {}}}'])
def test_a_damaged_record_is_refused_by_name(damage, project):
    (project.workdir / "run.json").write_text(damage)
    told = r"run/run.json is damaged: .*\. Delete it, and every stage runs again"
    with pytest.raises(BundleError, match=told), project.session():
        pass
