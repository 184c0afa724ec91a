"""What somebody tells of a user is to the ranker what the user table says of those in the log."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.blend import Blend
from recsys.bundle.opened import open_bundle
from recsys.bundle.publish import publish
from recsys.data.dataset import Dataset
from recsys.errors import DataError
from recsys.evaluation.questions import Questions
from recsys.evaluation.two_stage import Stages
from recsys.offline.requests import requests_of
from recsys.recommend_config import RecommendConfig
from recsys.recommender import Recommender
from tests.bundle.made import RECORD, made_contents, made_dataset, made_recommender
from tests.bundle.made_users import NUM_RANKED, READ, WIDE, made_users, ranked_for, with_users

HISTORY = ["i050", "i120", "i300"]
USER = {"age": 33, "langs": ["de", "fr"], "city": "Chur", "member": True}
MODELS: dict[str, dict[str, Any]] = {
    "bst": {"interest": {"kind": "bst", "positions": {"kind": "time", "unit_seconds": 1e-6}}},
    "wide": WIDE,
    "ids": {**WIDE, "reads_user_ids": True},
}


@dataclass(frozen=True)
class Told:
    """A bundle, and the dataset that it is of."""

    recommender: Recommender
    dataset: Dataset

    def recommend(self, users: np.ndarray, ends: np.ndarray, asked: np.ndarray, *, tells: bool = True) -> np.ndarray:
        """[users, k] scores of what follows the clicks before `ends`, by all that can be told of these users."""
        histories, known = self.dataset.histories, made_users()
        stretches = zip(np.asarray(histories.offsets)[users], ends, strict=True)
        rows = [slice(int(begin), int(end)) for begin, end in stretches]
        lists = self.recommender.recommend_many(
            [self.dataset.items.ids_of(histories.items[row]) for row in rows],
            times=[(histories.times[row] / 1e6).tolist() for row in rows],
            asked=(asked / 1e6).tolist(),
            k=NUM_RANKED,
            users=[known[user - 1] for user in users] if tells else None,
        )
        return np.array([[one.score for one in found] for found in lists], np.float32)

    def of_the_log(self) -> np.ndarray:
        """The offline job's."""
        requests = requests_of(RecommendConfig(), self.dataset, self.recommender.bundle.items)
        return self.recommender.lists(requests.clicks(0, len(requests)), k=NUM_RANKED, exclude_seen=True).scores

    def now(self, *, tells: bool = True) -> np.ndarray:
        ends = np.asarray(self.dataset.histories.offsets[2:])
        asked = np.full(len(ends), self.dataset.histories.times.max())
        return self.recommend(np.arange(1, len(ends) + 1), ends, asked, tells=tells)


@pytest.fixture(scope="module")
def told_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Told]:
    made: dict[str, Told] = {}

    def told(name: str) -> Told:
        if name not in made:
            workdir = tmp_path_factory.mktemp(name)
            dataset = with_users(made_dataset(workdir / "dataset"))
            bundle = publish(made_contents(dataset, ranked=ranked_for(dataset, **MODELS[name])), workdir, RECORD)
            made[name] = Told(Recommender(open_bundle(bundle)), dataset)
        return made[name]

    return told


@pytest.mark.parametrize("name", ["bst", "wide"])
def test_a_user_of_the_log_gets_exactly_the_offline_jobs_scores(told_of, name):
    told = told_of(name)
    assert np.array_equal(told.now(), told.of_the_log())
    assert not np.allclose(told.now(tells=False), told.of_the_log(), atol=0.1)


@pytest.mark.parametrize("name", ["bst", "wide"])
def test_a_user_of_the_log_gets_the_evaluations_scores(told_of, name):
    told = told_of(name)
    questions, bundle = Questions.of_test(told.dataset, exclude_seen=True), told.recommender.bundle
    stages = Stages(questions, bundle.retriever, bundle.ranker, num_candidates=NUM_RANKED)
    expected = stages(slice(0, len(questions))).blended(Blend(weight=1.0)).sort(descending=True).values
    users, positions = questions.held_out.users, questions.held_out.positions
    found = told.recommend(users, positions, np.asarray(told.dataset.histories.times)[positions])
    assert np.abs(found - expected.numpy()).max() == 0


def test_to_a_ranker_that_reads_ids_the_user_stays_unknown(told_of):
    told = told_of("ids")
    found = told.now()
    assert not np.allclose(found, told.of_the_log(), atol=0.1)
    told.recommender.bundle.ranker.users.ids.known_R.zero_()
    assert np.array_equal(found, told.of_the_log())


def scores(told: Told, user: Any) -> list[float]:
    return [one.score for one in told.recommender.recommend(HISTORY, k=5, user=user)]


@pytest.mark.parametrize("feature", READ)
def test_each_feature_is_read(told_of, feature):
    less = {name: value for name, value in USER.items() if name != feature}
    for name in ("bst", "wide"):
        assert scores(told_of(name), USER) != pytest.approx(scores(told_of(name), less), abs=1e-4)


@pytest.mark.parametrize(
    "nothing",
    [None, {}, {"city": "Atlantis"}, {"city": None, "age": float("nan")}, {"langs": []}, {"langs": ["xx", ""]}],
    ids=str,
)
def test_what_training_never_saw_is_nothing_and_no_error(told_of, nothing):
    assert scores(told_of("wide"), nothing) == scores(told_of("wide"), None)
    assert scores(told_of("wide"), USER) != scores(told_of("wide"), None)


@pytest.mark.parametrize(
    "same",
    [
        {**USER, "age": 33.0},
        {**USER, "age": "33"},
        {**USER, "age": np.int16(33), "member": np.True_, "langs": np.array(["fr", "de"])},
        {**USER, "langs": ("fr", "xx", "de", "fr"), "city": ["Chur"], "member": "true"},
    ],
    ids=str,
)
def test_one_thing_may_be_told_in_several_ways(told_of, same):
    assert scores(told_of("wide"), same) == scores(told_of("wide"), USER)


def test_some_of_a_batch_may_tell_nothing(told_of):
    told = told_of("wide")
    users = [USER, None, {"langs": ["de"] * 9}, {}] * 20
    lists = told.recommender.recommend_many([HISTORY] * len(users), k=5, users=users)
    for found, user in zip(lists[:4], users, strict=False):
        assert [one.score for one in found] == pytest.approx(scores(told, user), abs=1e-5)


def test_what_cannot_be_told_is_refused(told_of, tmp_path: Path):
    recommender = told_of("wide").recommender
    rule = "of a user this bundle's ranker reads age, langs, city, member"
    for name in ("size", "phone"):
        with pytest.raises(DataError, match=f"'{name}' is no feature: {rule}"):
            recommender.recommend(HISTORY, k=5, user={name: "1"})
    with pytest.raises(DataError, match="'city' is text, a number, a truth value or a list of them; found a dict"):
        recommender.recommend(HISTORY, k=5, user={"city": {"name": "Chur"}})
    with pytest.raises(DataError, match="every history is one user's: got 1 users for 2 histories"):
        recommender.recommend_many([HISTORY, HISTORY], k=5, users=[USER])
    with pytest.raises(DataError, match="this bundle's model reads nothing of a user but the history"):
        made_recommender(tmp_path).recommend(HISTORY, user={})


def test_a_bundle_has_the_features_and_nobodys_values(told_of):
    files = told_of("bst").recommender.bundle.manifest.files
    own = sorted(name for name in files if name.startswith("user_feature"))
    labels = [f"user_feature{n}.labels.{part}.npy" for n in range(4) for part in ("bytes", "offsets")]
    assert own == [*labels, "user_features.json"]
    assert told_of("bst").recommender.bundle.user_features.names == READ
