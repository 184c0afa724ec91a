"""A bundle with a ranker answers with the retriever's items in the ranker's order, live and offline alike."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from recsys.blend import Blend
from recsys.bundle.contents import Ranked
from recsys.bundle.manifest import verify
from recsys.bundle.opened import open_bundle
from recsys.bundle.publish import publish
from recsys.errors import ConfigError
from recsys.model.ranking.ranker import Ranker, RankerConfig
from recsys.recommender import Recommender
from recsys.reranking import moments_of
from recsys.rules import Clicks
from tests.bundle.made import RECORD, made_contents, made_dataset
from tests.offline.asked import Asked, by_user

NUM_CANDIDATES = 8
HISTORY = ["i050", "i120", "i300", "i010", "i070"]


def ranker_of(dataset, **positions) -> Ranker:
    torch.manual_seed(4)
    interest = {"kind": "bst", "positions": {"kind": "time", "unit_seconds": 1e-6, **positions}}
    config = {"dim": 8, "max_length": 4, "hidden": [8], "interest": interest}
    return Ranker.for_dataset(RankerConfig.model_validate(config), dataset).eval()


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workdir = tmp_path_factory.mktemp("both")
    dataset = made_dataset(workdir / "dataset")
    ranked = Ranked(ranker_of(dataset), NUM_CANDIDATES, Blend(weight=1.0))
    publish(made_contents(dataset, ranked=ranked), workdir, RECORD)
    return workdir


@pytest.fixture(scope="module")
def both(workdir: Path) -> Recommender:
    return Recommender(open_bundle(workdir / "bundle"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    workdir = tmp_path_factory.mktemp("alone")
    publish(made_contents(made_dataset(workdir / "dataset")), workdir, RECORD)
    return Recommender(open_bundle(workdir / "bundle"))


def test_the_items_are_the_retrievers_and_the_order_is_the_rankers(both, alone):
    found = both.recommend(HISTORY, k=NUM_CANDIDATES)
    first = alone.recommend(HISTORY, k=NUM_CANDIDATES)
    assert {one.item for one in found} == {one.item for one in first}
    assert [one.item for one in found] != [one.item for one in first]
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    assert {one.source for one in found} == {"ranker"}
    assert both.recommend(HISTORY, k=3) == found[:3]


def test_more_than_the_ranker_is_handed_cannot_be_asked_for(both):
    with pytest.raises(ConfigError, match="this bundle's ranker puts 8 items in order: ask for 8 at most"):
        both.recommend(HISTORY, k=9)


def test_a_batch_is_one_by_one(both):
    histories = [HISTORY, [], ["i010"], HISTORY[::-1], ["no such"]] * 10
    for one, history in zip(both.recommend_many(histories, k=5), histories, strict=True):
        single = both.recommend(history, k=5)
        assert [found.item for found in one] == [found.item for found in single]
        assert [found.score for found in one] == pytest.approx([found.score for found in single], abs=1e-5)
    assert both.recommend_many([], k=5) == []
    assert {found.source for found in both.recommend([], k=5)} == {"popular"}


def test_seen_items_stay_away(both):
    assert not {found.item for found in both.recommend(HISTORY, k=8)} & set(HISTORY)


def test_times_reach_the_ranker(both):
    near = both.recommend(HISTORY, times=[1, 2, 3, 4, 5], asked=5, k=5)
    far = both.recommend(HISTORY, times=[1, 2, 3, 4, 5], asked=5_000, k=5)
    assert [found.score for found in near] != [found.score for found in far]


def test_the_offline_job_gives_the_same(workdir, both, tmp_path):
    asked = Asked(workdir)
    asked.ask(tmp_path)
    histories, found = asked.dataset.histories, by_user(tmp_path)
    now = int(histories.times.max()) / 1e6
    for index, user in enumerate(asked.dataset.users, start=1):
        stretch = slice(int(histories.offsets[index]), int(histories.offsets[index + 1]))
        times = [ticks / 1e6 for ticks in histories.times[stretch].tolist()]
        expected = both.recommend(asked.dataset.items.ids_of(histories.items[stretch]), times=times, asked=now, k=5)
        assert [score for _, score, _ in found[user]] == pytest.approx([one.score for one in expected], abs=1e-5)
    assert set(pl.read_parquet(tmp_path / "*.parquet")["source"]) == {"ranker"}


def test_the_ranker_is_part_of_the_bundle(workdir, both, alone):
    manifest = verify(workdir / "bundle")
    assert {"ranker.json", "ranker.safetensors"} <= manifest.files.keys()
    assert (manifest.num_ranked, alone.bundle.manifest.num_ranked) == (NUM_CANDIDATES, 0)
    assert alone.bundle.ranker is None
    expected = ranker_of(made_dataset(workdir / "again")).state_dict()
    for name, value in both.bundle.ranker.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_unknown_times_are_not_read_as_this_very_moment(both):
    untold, now = both.recommend(HISTORY, k=5), both.recommend(HISTORY, times=[5] * 5, asked=5, k=5)
    assert [found.score for found in untold] != [found.score for found in now]


def test_a_history_without_times_has_no_ages(both):
    clicks = Clicks.of([np.array([3, 4, 5, 6, 7], np.int32), np.zeros(0, np.int32)])
    moments = moments_of(clicks, both.bundle.ranker)
    assert moments.items_HL.tolist() == [[4, 5, 6, 7], [0, 0, 0, 0]]
    assert (moments.ages_HL == -1).all()
    assert moments.lengths_H.tolist() == [4, 0]
