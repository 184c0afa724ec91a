"""A search: on validation alone, resumable, pruned, tracked, and its result is a configuration to run."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from recsys.config import load_config, value_at
from recsys.errors import ConfigError, Interrupted
from recsys.stages.prepare import prepare
from recsys.stages.tune import Tuned, tune
from recsys.training.reporting import Reporter
from tests.stages.workdirs import Project

SPACE = [
    {"key": "model.dropout", "kind": "float", "low": 0.0, "high": 0.6},
    {"key": "model.num_blocks", "kind": "int", "low": 0, "high": 2},
    {"key": "model.score", "kind": "choice", "values": [{"kind": "dot"}, {"kind": "cosine", "temperature": 0.1}]},
]
SEARCH = {"tuning__trials": 4, "tuning__startup_trials": 2, "tuning__warmup_epochs": 1, "tuning__space": SPACE}


@pytest.fixture
def prepared(project: Project) -> Project:
    with project.session() as session:
        prepare(session)
    return project


def search(project: Project, **overrides: object) -> Tuned:
    with project.session(**{**SEARCH, **overrides}) as session:
        return tune(session)


def outcomes(tuned: Tuned) -> list[tuple]:
    return sorted((trial.number, tuple(map(str, trial.values.values())), trial.score) for trial in tuned.trials)


def test_the_best_trial_becomes_a_configuration(prepared):
    tuned = search(prepared)
    assert len(tuned.trials) == 4
    best = tuned.trials[0]
    assert best.score == max(trial.score for trial in tuned.trials if trial.score is not None)
    config = load_config(prepared.directory / tuned.file)
    for key, value in best.values.items():
        found = value_at(config, key)
        assert found == value or value.items() <= found.items()
    assert config.training.max_epochs == 2
    assert str(config.workdir) == "run-tuned"
    text = (prepared.directory / tuned.file).read_text()
    assert text.startswith("# recsys tune my.yaml\n")
    assert "tuning" not in text.split("\n", 2)[2]
    assert f"recsys run {tuned.file}" in "\n".join(tuned.lines())


def test_the_configuration_as_it_is_comes_first(prepared):
    first = min(search(prepared, model__dropout=0.25).trials, key=lambda trial: trial.number)
    assert first.values == {"model.dropout": 0.25, "model.num_blocks": 1, "model.score": {"kind": "dot"}}


def test_a_search_goes_on_where_it_was_and_ends_as_if_it_had_not_stopped(prepared, tmp_path, monkeypatch):
    whole = search(prepared.copy(tmp_path / "whole"))
    usual, epochs = Reporter.on_train_epoch_end, []

    def stop_in_the_third_trial(self, *arguments):
        usual(self, *arguments)
        epochs.append(1)
        if len(epochs) == 5:
            raise Interrupted(2)

    monkeypatch.setattr(Reporter, "on_train_epoch_end", stop_in_the_third_trial)
    with pytest.raises(Interrupted):
        search(prepared)
    monkeypatch.undo()
    resumed = search(prepared)
    assert outcomes(resumed) == outcomes(whole)
    assert search(prepared).trials == resumed.trials  # nothing is left to do
    assert len(search(prepared, tuning__trials=5).trials) == 5


def test_another_space_is_another_search(prepared):
    search(prepared, tuning__trials=1)
    with pytest.raises(ConfigError, match=r"run/tuning holds a search of another configuration: tuning.space was"):
        search(prepared, tuning__trials=1, tuning__space=SPACE[:1])
    with prepared.session(**{**SEARCH, "tuning__trials": 1, "tuning__space": SPACE[:1]}) as session:
        assert len(tune(session, restart=True).trials) == 1


def test_a_key_that_is_none_is_told_before_anything_is_trained(prepared):
    space = [{"key": "model.dropuot", "kind": "float", "low": 0.0, "high": 0.6}]
    with pytest.raises(ConfigError, match=r"tuning.space, model.dropuot: model.dropuot is not a key; did you mean"):
        search(prepared, tuning__space=space)
    assert not (prepared.workdir / "tuning").exists()


def test_a_key_left_to_the_log_and_its_default_are_two_searches(prepared):
    search(prepared, tuning__trials=1)
    with pytest.raises(ConfigError, match=r"holds a search of another configuration: training.average_decay was 0.998"):
        search(prepared, tuning__trials=2, training__average_decay=0.0)


def test_a_choice_of_sections_begins_with_the_one_that_changes_nothing(prepared):
    values = [{"temperature": 0.05, "kind": "cosine"}, {"kind": "dot"}]
    space = [{"key": "model.score", "kind": "choice", "values": values}]
    tuned = search(prepared, tuning__space=space, tuning__trials=1, model__score={"kind": "cosine"})
    assert tuned.trials[0].values == {"model.score": values[0]}


def test_a_model_that_memory_cannot_hold_is_a_failed_trial(prepared):
    space = [{"key": "model.dim", "kind": "choice", "values": [2_000_000_000, 8]}]
    tuned = search(prepared, tuning__space=space, tuning__trials=5, tuning__startup_trials=5)
    assert tuned.trials[0].values == {"model.dim": 8}
    assert any(trial.has_failed and "memory" in trial.verdict for trial in tuned.trials)


def test_half_a_line_and_a_lock_that_a_kill_left_are_taken_away(prepared):
    one = search(prepared, tuning__trials=1)
    journal = prepared.workdir / "tuning" / "study.log"
    with journal.open("a") as file:
        file.write('{"op_code": 5, "worker_id": "x')
    (prepared.workdir / "tuning" / "study.log.lock").symlink_to(journal)
    two = search(prepared, tuning__trials=2)
    assert set(map(str, one.trials)) < set(map(str, two.trials))


@pytest.mark.slow
def test_no_password_is_written(prepared):
    with prepared.session(**SEARCH, tracking__kind="mlflow", tracking__uri="http://u:s3cret@127.0.0.1:9/") as session:
        session.source = "my.yaml tracking.uri=http://u:s3cret@127.0.0.1:9/"
        text = (prepared.directory / tune(session).file).read_text()
    assert "s3cret" not in text
    assert "tracking.uri" in text


@pytest.mark.parametrize(
    ("dimension", "told"),
    [
        ({"key": "model.dropout", "kind": "float", "low": 0, "high": float("inf")}, "finite number"),
        ({"key": "model.dropout", "kind": "choice", "values": [0.1, 0.1]}, "the values of model.dropout must differ"),
        (
            {"key": "data.split", "kind": "choice", "values": [1]},
            "tuning searches keys of model and training, or of ranker; found",
        ),
        ({"key": "model.dropout", "kind": "float", "low": 1, "high": 0}, "must rise from low to high; found 1.0 to 0"),
        ({"key": "model.dropout", "kind": "float", "low": 0, "high": 1, "log": True}, "begins above 0"),
    ],
)
def test_a_dimension_that_cannot_be_is_refused(prepared, dimension, told):
    with pytest.raises(ConfigError, match=told):
        search(prepared, tuning__space=[dimension])


def test_a_configuration_that_cannot_be_is_a_failed_trial(prepared):
    space = [{"key": "model.mixer.num_heads", "kind": "choice", "values": [2, 3]}]
    tuned = search(prepared, tuning__space=space, tuning__trials=6, tuning__startup_trials=6)
    failed = [trial for trial in tuned.trials if trial.has_failed]
    assert {trial.values["model.mixer.num_heads"] for trial in failed} == {3}
    assert all("must be divisible by mixer.num_heads (3)" in trial.verdict for trial in failed)
    assert tuned.trials[0].values == {"model.mixer.num_heads": 2}


def test_each_trial_is_a_run_within_the_search_s(prepared):
    search(prepared, tracking__kind="mlflow", tuning__trials=2)
    with closing(sqlite3.connect(prepared.workdir / "mlflow.db")) as database:
        names = dict(database.execute("select run_uuid, name from runs").fetchall())
        nested = dict(database.execute("select run_uuid, value from tags where key = 'mlflow.parentRunId'").fetchall())
    assert sorted(names.values()) == ["run", "trial-0000", "trial-0001"]
    assert {names[child] for child in nested} == {"trial-0000", "trial-0001"}
    assert {names[parent] for parent in nested.values()} == {"run"}


def test_a_key_and_one_within_it_are_no_two_dimensions(prepared):
    space = [{"key": f"model.{key}", "kind": "choice", "values": [1, 2]} for key in ("mixer", "mixer.num_heads")]
    with pytest.raises(ConfigError, match=r"has model.mixer and model.mixer.num_heads, a key within it: keep one"):
        search(prepared, tuning__space=space)


RANKER = {"model": {"dim": 8, "hidden": [8], "max_length": 5}, "training": {"max_epochs": 2, "threads": 1}}
OF_RANKER = {
    "tuning__trials": 3,
    "tuning__space": [{"key": "ranker.model.dropout", "kind": "float", "low": 0.0, "high": 0.5}],
}


def test_a_rankers_keys_are_searched_by_its_auc(project):
    with project.session(ranker=RANKER, **OF_RANKER) as session:
        tuned = tune(session)
    assert len(tuned.trials) == 3
    assert "validation AUC" in tuned.lines()[0]
    assert all(0.0 < trial.score <= 1.0 for trial in tuned.trials if trial.score is not None)
    best = load_config(project.directory / tuned.file)
    assert best.ranker.model.dropout == tuned.trials[0].values["ranker.model.dropout"]
    assert best.ranker.model.dim == 8


def test_a_search_is_of_one_model(project):
    mixed = [*OF_RANKER["tuning__space"], {"key": "model.dropout", "kind": "float", "low": 0.0, "high": 0.5}]
    with pytest.raises(ConfigError, match="a search trains one of the two"):
        project.session(ranker=RANKER, tuning__space=mixed).__enter__()


def test_a_rankers_keys_need_a_ranker_that_needs_no_retriever(project):
    shutil.rmtree(project.workdir / "model")
    with project.session(ranker=RANKER, **OF_RANKER) as session:
        assert tune(session).trials


@pytest.mark.parametrize("key", ["ranker.examples", "ranker.examples.source", "ranker.warm_start"])
def test_trials_answer_the_same_questions(project, key):
    space = [{"key": key, "kind": "choice", "values": [1, 2]}]
    with pytest.raises(ConfigError, match="search once for each of its values"):
        project.session(ranker=RANKER, tuning__space=space).__enter__()
