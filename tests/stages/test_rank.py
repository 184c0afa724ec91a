"""The ranker's stage, alone and behind the retriever."""

import json

import polars as pl
import pytest

from recsys.bundle.opened import open_bundle
from recsys.errors import ConfigError, DataError, StaleError
from recsys.recommender import Recommender
from recsys.stages.blend import blend
from recsys.stages.prepare import prepare
from recsys.stages.rank import rank
from recsys.stages.record import Stage
from recsys.stages.run import run
from recsys.training.outcome import load_best
from recsys.training.warm_start import LENGTH, initial_items

SMALL = {"model": {"dim": 8, "hidden": [8], "max_length": 5}, "training": {"max_epochs": 2, "threads": 1}}


def test_both_stages_run_are_evaluated_and_not_done_again(project):
    with project.session(ranker=SMALL) as session:
        everything = run(session)
    assert {"retriever", "reranked"} <= everything.evaluated.evaluation.systems.keys()
    lines = "\n".join(everything.evaluated.lines())
    assert "both stages" in lines
    assert "both stages" in (project.workdir / "report.html").read_text()
    before = project.files()
    with project.session(ranker=SMALL) as session:
        run(session)
    after = project.files()
    assert {name for name in before if before[name] != after[name]} == {"run.json"}
    assert any(told.startswith("rank: nothing has changed") for told in project.told)


def test_another_ranker_is_trained_anew_and_the_retriever_is_not(project):
    with project.session(ranker=SMALL) as session:
        run(session)
    with project.session(ranker={**SMALL, "model": {**SMALL["model"], "interest": {"kind": "din"}}}) as session:
        run(session)
    assert any("train: nothing has changed" in told for told in project.told)
    assert any("training anew: ranker.model.interest" in told for told in project.told)


def test_negatives_from_the_retriever_need_it_and_follow_it(project):
    hard = {**SMALL, "examples": {"kind": "sampled", "source": "retriever", "depth": 9, "negatives": 2}}
    with project.session(ranker=hard) as session:
        trained = rank(session)
    assert trained.result.clicked == pytest.approx(1 / 3)
    with project.session(ranker=hard, model__dim=16) as session, pytest.raises(StaleError, match="recsys train"):
        rank(session)


def labelled(project, labels) -> None:
    log = pl.read_parquet(project.log)
    log.with_columns(liked=pl.Series(labels * (len(log) // len(labels) + 1)).head(len(log))).write_parquet(project.log)


def test_labels_of_the_log_are_the_examples(project):
    labelled(project, [True, False, False])
    with project.session(data__events__columns={"label": "liked"}, ranker=SMALL) as session:
        prepare(session)
        trained = rank(session)
    assert trained.result.clicked == pytest.approx(1 / 3, abs=0.15)
    assert list(trained.result.metrics) == ["AUC", "log loss", "calibration error"]  # each user has one example
    assert json.loads((project.workdir / "ranker" / "clicks.json").read_text())["examples"] == trained.result.examples
    assert any("test examples of" in line for line in trained.lines())


@pytest.mark.parametrize("labels", [[0, 1, 2], ["yes", "no"], [1, None]])
def test_a_label_that_is_none_is_told(project, labels):
    labelled(project, labels)
    with (
        project.session(data__events__columns={"label": "liked"}) as session,
        pytest.raises(DataError, match=r"a label is 0 or 1 \(or false or true\), and [0-9,]+ of [0-9,]+ in 'liked'"),
    ):
        prepare(session)


def test_labels_of_one_kind_are_told(project):
    labelled(project, [1])
    with project.session(data__events__columns={"label": "liked"}, ranker=SMALL) as session:
        prepare(session)
        with pytest.raises(DataError, match=r"every label of its [0-9,]+ examples is 1"):
            rank(session)


def test_heads_that_do_not_fit_are_told_before_the_retriever_is_trained(project):
    with (
        project.session(ranker={"model": {"dim": 10}}, model__dim=24) as session,
        pytest.raises(ConfigError, match=r"one ranker.model.dim for its id"),
    ):
        run(session)
    assert not any("training on" in told for told in project.told)


def test_a_deleted_result_is_made_again(project):
    for _ in range(2):
        with project.session(ranker=SMALL) as session:
            rank(session, restart=True)
        (project.workdir / "ranker" / "clicks.json").unlink()
        with project.session(ranker=SMALL) as session:
            assert rank(session).result.examples > 0


def test_validation_labels_of_one_kind_are_no_verdict(project):
    log = pl.read_parquet(project.log).sort("user_id", "timestamp")
    last = pl.int_range(pl.len()).over("user_id") >= pl.len().over("user_id") - 2
    log.with_columns(liked=last | (pl.int_range(pl.len()) % 2 == 0)).write_parquet(project.log)
    with project.session(data__events__columns={"label": "liked"}, ranker=SMALL) as session:
        prepare(session)
        trained = rank(session)
    assert trained.outcome.validation is None
    assert list(trained.result.metrics) == ["log loss", "calibration error"]


def test_without_a_section_there_is_no_ranker(project):
    with project.session() as session, pytest.raises(ConfigError, match="add a `ranker` section"):
        rank(session)


def test_a_ranker_of_labels_needs_their_column(project):
    with pytest.raises(ConfigError, match=r"labelled needs data\.events\.columns\.label"):
        project.session(ranker={"examples": {"kind": "labelled"}}).__enter__()


def test_the_weight_is_chosen_and_another_one_trains_nothing(project):
    with project.session(ranker=SMALL) as session:
        everything = run(session)
    assert everything.blended.choice.users > 0
    with project.session(ranker=SMALL, recommend__blend={"weight": 0.25, "covisitation": 0.0}) as session:
        everything = run(session)
    assert everything.blended.choice.blend.weight == 0.25
    assert any(told.startswith("rank: nothing has changed") for told in project.told)
    manifest = json.loads((project.workdir / "bundle" / "manifest.json").read_text())
    assert (manifest["num_ranked"], manifest["blend"]["weight"]) == (200, 0.25)


def test_blending_needs_a_ranker(project):
    with project.session() as session, pytest.raises(ConfigError, match="add a `ranker` section"):
        blend(session)


def test_a_warm_start_begins_at_the_retrievers_items_and_follows_them(project):
    warm = {**SMALL, "warm_start": True}
    with project.session(ranker=warm) as session:
        rank(session)
        retriever = load_best(session.layout.product(Stage.TRAIN))
    vectors = initial_items(retriever, 8)
    assert vectors.shape == (retriever.item_vectors().shape[0], 8)
    assert not vectors[0].any()
    assert vectors[1:].norm(dim=1).mean() == pytest.approx(LENGTH)
    narrow = initial_items(retriever, 3)
    ratios = narrow[1:].var(dim=0)
    assert (ratios.diff() <= 0).all()  # the first component varies most
    with project.session(ranker=warm, model__dim=16) as session, pytest.raises(StaleError, match="recsys train"):
        rank(session)


def test_a_ranker_of_lists_is_judged_within_them(project):
    listed = {
        **SMALL,
        "examples": {"kind": "sampled", "negatives": 5},
        "training": {**SMALL["training"], "objective": {"kind": "softmax"}},
    }
    with project.session(ranker=listed) as session:
        trained = rank(session)
    assert "validation GAUC" in "\n".join(trained.lines())
    assert set(trained.result.metrics) == {"AUC", "GAUC"}


def test_labelled_examples_make_no_list(project):
    labelled(project, [True, False])
    with pytest.raises(ConfigError, match="labelled examples have none: use bce"):
        project.session(
            data__events__columns={"label": "liked"}, ranker={"training": {"objective": {"kind": "softmax"}}}
        ).__enter__()


def test_other_candidates_reach_the_bundle(project):
    blended = {"weight": 0.5, "covisitation": 0.0}
    for candidates in (20, 12):
        with project.session(ranker=SMALL, recommend__blend=blended, recommend__candidates=candidates) as session:
            everything = run(session)
        manifest = json.loads((project.workdir / "bundle" / "manifest.json").read_text())
        assert manifest["num_ranked"] == candidates
        assert f"ranks {candidates}" in everything.evaluated.evaluation.systems["reranked"].detail


def test_a_user_table_can_be_told_to_the_bundle(project):
    users = pl.read_parquet(project.log).select(pl.col("user_id").unique().sort()).with_row_index("age")
    users.with_columns(langs=pl.lit("de|en")).write_csv(project.directory / "users.csv")
    table = {"path": "users.csv", "features": [{"column": "age", "buckets": 3}, {"column": "langs", "separator": "|"}]}
    keys = {"data__users": table, "ranker": SMALL, "recommend__blend": {"weight": 1.0, "covisitation": 0.0}}
    with project.session(**keys) as session:
        run(session)
    recommender = Recommender(open_bundle(project.workdir / "bundle"))
    assert recommender.bundle.user_features.names == ["age", "langs"]
    history = recommender.bundle.items.ids_of([1, 2])
    young, same, old, nobody = (
        [found.score for found in recommender.recommend(history, user={"age": age, "langs": langs})]
        for age, langs in [(1, ["en"]), (2, ["en", "xx"]), (len(users) + 5, ["en"]), (None, [])]
    )
    assert young == same
    assert len({tuple(scores) for scores in (young, old, nobody)}) == 3
