"""What a caller tells of times reaches the model as a log's own times do, and a wrong one is told."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.bundle.opened import open_bundle
from recsys.bundle.publish import publish
from recsys.errors import DataError
from recsys.moments import ticks_of
from recsys.recommender import Recommender
from tests.bundle.made import RECORD, made_contents, made_dataset
from tests.offline.asked import Asked, by_user

SPANS = {"kind": "log", "unit_seconds": 1e-3}


def asked_in(workdir: Path, **model: Any) -> Asked:
    contents = made_contents(made_dataset(workdir / "dataset"), model=model)
    open_bundle(publish(contents, workdir, RECORD))
    return Asked(workdir)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    return asked_in(tmp_path_factory.mktemp("spans"), gaps=SPANS, query_time=SPANS)


def test_the_offline_job_asks_about_the_last_moment_of_the_log(asked: Asked, tmp_path: Path) -> None:
    asked.ask(tmp_path)
    histories, found = asked.dataset.histories, by_user(tmp_path)
    now, differ = int(histories.times.max()), 0
    for index, user in enumerate(asked.dataset.users, start=1):
        stretch = slice(int(histories.offsets[index]), int(histories.offsets[index + 1]))
        history = asked.dataset.items.ids_of(histories.items[stretch])
        times = [ticks / 1e6 for ticks in histories.times[stretch].tolist()]
        expected = asked.recommender.recommend(history, times=times, asked=now / 1e6, k=5)
        assert [score for _, score, _ in found[user]] == pytest.approx([one.score for one in expected], abs=1e-5)
        untold = asked.recommender.recommend(history, k=5)
        differ += [one.score for one in untold] != pytest.approx([one.score for one in expected], abs=1e-5)
    assert differ > 10


def scores(recommender: Recommender, **times: Any) -> list[float]:
    return [found.score for found in recommender.recommend(["i010", "i050", "i070"], k=5, **times)]


def test_both_times_matter_and_a_batch_is_one_by_one(asked: Asked) -> None:
    told = [{}, {"times": [0, 3, 900]}, {"times": [0, 3, 900], "asked": 901}, {"times": [0, 3, 900], "asked": 9e5}]
    found = [scores(asked.recommender, **times) for times in told]
    assert len({tuple(one) for one in found}) == 4
    history = ["i010", "i050", "i070"]
    many = asked.recommender.recommend_many([history, history], times=[[0, 3, 900]] * 2, asked=[901, 9e5], k=5)
    assert [[one.score for one in each] for each in many] == [pytest.approx(found[2]), pytest.approx(found[3])]


def test_a_model_without_spans_takes_times_and_minds_none(tmp_path: Path) -> None:
    recommender = asked_in(tmp_path).recommender
    assert scores(recommender, times=[0, 3, 900], asked=5) == scores(recommender)


def test_moments_are_seconds_or_datetimes() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    abroad = moment.astimezone(timezone(timedelta(hours=5)))
    told = [moment, moment.replace(tzinfo=None), abroad, moment.timestamp(), np.float64(moment.timestamp())]
    assert len(set(ticks_of(told).tolist())) == 1
    assert ticks_of([1, np.int64(2)]).tolist() == [10**6, 2 * 10**6]


@pytest.mark.parametrize("wrong", ["2026-01-02", None, True, float("nan"), float("inf"), 1e18])
def test_what_is_no_moment_is_told(asked: Asked, wrong: Any) -> None:
    with pytest.raises(DataError, match="a time is a datetime or a number of seconds, got"):
        scores(asked.recommender, times=[1, 2, wrong])


def test_times_that_do_not_fit_the_clicks_are_told(asked: Asked) -> None:
    with pytest.raises(DataError, match=r"got \[2\] times for histories of \[3\] clicks"):
        scores(asked.recommender, times=[1, 2])
    with pytest.raises(DataError, match="got 1 for 2 histories"):
        asked.recommender.recommend_many([["i010"], ["i050"]], asked=[1])
