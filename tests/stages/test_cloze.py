"""From a log to lists, a bundle and neighbours with a retriever that fills gaps."""

import polars as pl
import pytest

import recsys
from recsys.stages.run import run
from tests.stages.workdirs import Project

CLOZE = {"model__target": {"kind": "cloze"}}


@pytest.fixture(scope="module")
def filled(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = finished.copy(tmp_path_factory.mktemp("cloze") / "project")
    with project.session(**CLOZE) as session:
        done = run(session)
    assert done.recommended.result.num_users == 60
    return project


def test_every_list_is_full_of_items_of_the_catalogue(filled):
    lists = pl.read_parquet(filled.workdir / "recommendations" / "*.parquet")
    items = pl.read_parquet(filled.log)["item_id"].unique()
    assert lists["item_id"].is_in(items.implode()).all()
    assert lists.group_by("user_id").len()["len"].to_list() == [10] * 60


def test_the_bundle_answers_one_as_it_answers_many_and_knows_neighbours(filled):
    recommender = recsys.load(filled.workdir / "bundle")
    histories = [["i001"], ["i004", "i002", "i007"], [f"i{item:03}" for item in range(20)]]
    many = recommender.recommend_many(histories, k=5)
    for history, together in zip(histories, many, strict=True):
        alone = recommender.recommend(history, k=5)
        assert [one.item for one in alone] == [one.item for one in together]
        assert {one.source for one in alone} == {"retriever"}
        assert not {one.item for one in alone} & set(history)
    assert len(recommender.similar("i001", k=5)) == 5
    every = recommender.recommend(["i001"], k=1000, exclude_seen=False)
    assert len(every) == int(recommender.bundle.candidates.sum())


def test_a_run_that_is_done_is_not_done_again_and_another_target_is_another_run(filled):
    with filled.session(**CLOZE) as session:
        run(session)
    assert sum(line.endswith("not done again") for line in filled.told) == 4
    with filled.session(model__target={"kind": "cloze", "mask_share": 0.4}) as session:
        run(session)
    assert any("model.target.mask_share was 0.2, is 0.4" in line for line in filled.told)
