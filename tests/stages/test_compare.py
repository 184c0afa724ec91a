"""`recsys compare` on work directories that really ran."""

import shutil

import polars as pl
import pytest

from recsys.errors import BundleError, ConfigError, DataError, StaleError
from recsys.stages.compare import compare
from recsys.stages.prepare import prepare
from recsys.stages.rank import rank
from recsys.stages.run import run
from recsys.stages.train import train


def variant(project, name, **overrides):
    """Another workdir, of the same log."""
    with project.session(workdir=str(project.directory / name), **overrides) as session:
        run(session)
    return str(project.directory / name)


def test_runs_that_differ_in_their_seed_are_one_system(project):
    other, seed = variant(project, "other", model__dim=16), variant(project, "seed", seed=1)
    compared = compare([str(project.workdir), other, seed])
    assert {system.name: system.runs for system in compared.rankings.systems} == {
        "run": ("run", "seed"),
        "other": ("other",),
    }
    assert "model.dim: 8 | 16 | 8" in compared.differences
    assert "seed: 0 | 0 | 1" in compared.differences
    assert any("model.dim: 8 | 16 | 8" in line for line in compared.lines())


def test_another_systems_lists_are_compared_with_a_run(project, tmp_path):
    lists = pl.read_parquet(project.workdir / "evaluation" / "lists.parquet").select("user_id", "item_id", "rank")
    lists.write_parquet(tmp_path / "theirs.parquet")
    compared = compare([str(tmp_path / "theirs.parquet"), str(project.workdir)], k=5)
    metrics = {system.name: system.metrics["NDCG@5"].value for system in compared.rankings.systems}
    assert metrics["run"] == pytest.approx(metrics["theirs.parquet"])
    assert compared.differences == ["nothing that training depends on"]
    with pytest.raises(ConfigError, match="or one and a Parquet file: another system's lists"):
        compare([str(tmp_path / "theirs.parquet")])


def test_seeds_alone_are_compared_with_each_other(project):
    seed = variant(project, "seed", seed=1)
    compared = compare([str(project.workdir), seed])
    assert [system.name for system in compared.rankings.systems] == ["run", "seed"]
    assert compared.differences == ["seed: 0 | 1"]


def test_runs_on_other_test_users_cannot_be_compared(project):
    other = variant(project, "other", data__split={"kind": "by_time", "test_share": 0.3})
    with pytest.raises(DataError, match="split"):
        compare([str(project.workdir), other])


def test_a_directory_without_an_evaluation_is_refused(project, tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere is no work directory with an evaluation"):
        compare([str(project.workdir), str(tmp_path / "nowhere")])


@pytest.mark.parametrize("times", [0, 1, 2])
def test_one_directory_is_nothing_to_compare(project, times):
    with pytest.raises(ConfigError, match="compare takes two work directories or more"):
        compare([str(project.workdir)] * times)


def test_an_evaluation_of_an_earlier_model_is_refused(project):
    other = variant(project, "other", model__dim=16)
    with project.session(model__dim=4) as session:
        prepare(session)
        train(session)
    with pytest.raises(StaleError, match=r"run was trained anew after its evaluation: run `recsys evaluate`"):
        compare([str(project.workdir), other])


@pytest.mark.parametrize("name", ["ranks.parquet", "lists.parquet", "truth.parquet"])
def test_files_that_somebody_changed_are_refused(project, name):
    other = variant(project, "other", model__dim=16)
    file = project.workdir / "evaluation" / name
    file.write_bytes(file.read_bytes()[::-1])
    with pytest.raises(BundleError, match=r"run is not what `recsys evaluate` left there"):
        compare([str(project.workdir), other])


def test_a_directory_named_twice_is_one_run(project, tmp_path):
    other = variant(project, "other", model__dim=16)
    (tmp_path / "link").symlink_to(project.workdir)
    compared = compare([str(project.workdir), str(tmp_path / "link"), other])
    assert sorted(run for system in compared.rankings.systems for run in system.runs) == ["other", "run"]


def test_the_same_seed_twice_is_no_second_seed(project):
    copied, other = project.copy(project.directory / "copy"), variant(project, "other", model__dim=16)
    compared = compare([str(project.workdir), str(copied.workdir), other])
    assert [len(system.runs) for system in compared.rankings.systems] == [1, 1, 1]


RANKER = {"model": {"dim": 8, "hidden": [8], "max_length": 5}, "training": {"max_epochs": 1, "threads": 1}}


def test_rankers_are_compared_by_the_clicks_they_predict(project, tmp_path):
    other = project.copy(tmp_path / "other")
    for one, kind in ((project, "mean"), (other, "none")):
        with one.session(ranker={**RANKER, "model": {**RANKER["model"], "interest": {"kind": kind}}}) as session:
            rank(session)
    compared = compare([str(project.workdir), str(other.workdir)])
    assert compared.rankings is not None
    assert [len(system.runs) for system in compared.clicks.systems] == [1, 1]
    assert {found.metric for found in compared.clicks.comparisons} >= {"AUC", "log loss"}
    assert any("ranker.model.interest.kind: mean | none" in line for line in compared.differences)
    theirs = tmp_path / "theirs.parquet"
    shutil.copy(other.workdir / "ranker" / "predictions.parquet", theirs)
    compared = compare([str(project.workdir), str(theirs)])
    assert compared.rankings is None
    assert "theirs.parquet" in {system.name for system in compared.clicks.systems}


def test_predictions_need_a_ranker_beside_them(project, tmp_path):
    theirs = tmp_path / "theirs.parquet"
    pl.DataFrame({"user": [1], "item": [1], "label": [1], "logit": [0.5]}).write_parquet(theirs)
    with pytest.raises(ConfigError, match="run `recsys rank` in every work directory"):
        compare([str(project.workdir), str(theirs)])


def test_rankers_on_other_examples_leave_the_rankings_to_compare(project, tmp_path):
    other = project.copy(tmp_path / "other")
    for one, negatives in ((project, 1), (other, 2)):
        with one.session(ranker={**RANKER, "examples": {"kind": "sampled", "negatives": negatives}}) as session:
            rank(session)
    compared = compare([str(project.workdir), str(other.workdir)])
    assert compared.rankings is not None
    assert compared.clicks is None
    assert "Predicted clicks are not compared: rankers are compared on the same" in "\n".join(compared.lines())


def test_seeds_of_a_ranker_that_reads_the_retriever_are_one_system(project):
    names = []
    for seed, kind in ((1, "mean"), (2, "mean"), (1, "none")):
        warm = {**RANKER, "warm_start": True, "model": {**RANKER["model"], "interest": {"kind": kind}}}
        names.append(str(project.directory / f"{kind}{seed}"))
        with project.session(workdir=names[-1], ranker=warm, seed=seed) as session:
            prepare(session)
            train(session)
            rank(session)
    found = compare(names).clicks
    assert [system.runs for system in found.systems] == [("mean1", "mean2"), ("none1",)]


def test_files_of_two_kinds_are_told(project, tmp_path):
    with project.session(ranker=RANKER) as session:
        rank(session)
    predictions, lists = tmp_path / "p.parquet", tmp_path / "l.parquet"
    shutil.copy(project.workdir / "ranker" / "predictions.parquet", predictions)
    pl.DataFrame({"user_id": [1], "item_id": [1], "rank": [1]}).write_parquet(lists)
    with pytest.raises(ConfigError, match="some are predictions and some are lists"):
        compare([str(project.workdir), str(predictions), str(lists)])
