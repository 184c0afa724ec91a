"""Answers as plain values: reasons with times, sources, what is remembered, and catalogues of every kind."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

import recsys
from recsys.bundle.opened import open_bundle
from recsys.bundle.publish import publish
from recsys.data.suggestions import close_items
from recsys.data.texts import Texts
from recsys.data.titles import Titles
from recsys.data.vocabulary import NumberVocabulary
from recsys.recommender import Recommender
from recsys.serving.lookup import Answers
from recsys.serving.remembered import OVERHEAD, Remembered
from recsys.serving.requests import Neighbours, Recommendations, RecommendationsRequest, SimilarAnswer
from tests.bundle.made import MAX_LENGTH, RECORD, made_bundle, made_contents, made_dataset
from tests.serving.apps import Application
from tests.serving.servers import Running, running

SPANS = {"kind": "log", "unit_seconds": 1e-3}


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    """Reads when clicks were, and when it is asked."""
    workdir = tmp_path_factory.mktemp("timed")
    contents = made_contents(made_dataset(workdir / "dataset"), model={"gaps": SPANS, "query_time": SPANS})
    return Recommender(open_bundle(publish(contents, workdir, RECORD)))


def answered(recommender: Recommender, **asked: Any) -> Recommendations:
    (found,) = Answers(recommender).recommend([RecommendationsRequest.model_validate(asked)])
    assert isinstance(found, Recommendations)
    return found


@pytest.mark.parametrize("number", [3, MAX_LENGTH + 4])
@pytest.mark.parametrize("told", [{}, {"asked": 9e5}], ids=["", "asked"])
@pytest.mark.parametrize("has_times", [True, False])
def test_a_reason_raises_by_what_is_missing_without_it(
    timed: Recommender, number: int, told: dict[str, Any], has_times: bool
) -> None:
    items = ["i010", "zzz", *(f"i{10 * place:03}" for place in range(5, 4 + number)), "i010"]
    clicks = [{"item": item, "time": 7.0 * place**2} if has_times else item for place, item in enumerate(items)]
    more = {**told, "k": 40, "exclude_seen": False}
    found = answered(timed, history=clicks, because=True, **more).recommendations
    assert any(one.because for one in found)
    for one in found:
        for reason in one.because or ():
            without = [click for click, item in zip(clicks, items, strict=True) if item != reason.item]
            scores = {each.item: each.score for each in answered(timed, history=without, **more).recommendations}
            assert one.score - scores[one.item] == pytest.approx(reason.raises, abs=1e-4)


@pytest.mark.parametrize(
    ("asked", "source"),
    [
        ({"history": []}, "popular"),
        ({"history": [], "allow": []}, "popular"),
        ({"history": ["zzz"], "allow": ["zzz"]}, "popular"),
        ({"history": ["i050"]}, "retriever"),
        ({"history": ["i050"], "allow": []}, "retriever"),
        ({"history": ["zzz", "i050"], "allow": ["zzz"]}, "retriever"),
    ],
    ids=str,
)
def test_an_empty_list_has_the_source_of_a_full_one(
    recommender: Recommender, asked: dict[str, Any], source: str
) -> None:
    assert answered(recommender, **asked).source == source


def test_what_is_remembered_takes_so_many_bytes_and_the_last_asked_stays() -> None:
    made: list[int] = []

    def answer(size: int) -> bytes:
        made.append(size)
        return b"x" * size

    remembered = Remembered(answer, most_bytes=10_000)
    for size in [100, *range(2_000, 4_000, 100)]:
        assert len(remembered(size)) == size
        assert len(remembered(100)) == 100
        assert remembered.size <= 10_000
    assert made.count(100) == 1
    assert len(remembered(20_000)) == 20_000
    assert remembered.size <= 10_000
    assert OVERHEAD < 1_000


def test_ids_of_any_length_are_answered() -> None:
    item = "i" * 2_000
    near = {"bundle": "b", "item": item, "neighbours": [{"item": item, "score": 1}]}
    assert Neighbours.model_validate(near).neighbours[0].item == item
    assert SimilarAnswer.model_validate({"bundle": "b", "answers": [near], "unknown": [item]}).unknown == [item]


@pytest.mark.parametrize("text", ["e" * 100, "fe" * 50, "film (1999) " * 8, "abcdefghij" * 10])
def test_a_long_search_takes_as_long_as_a_short_one(text: str) -> None:
    titles = Titles(Texts.of(["", *(f"Film {n} of the {'e' * (n % 60)} (1999)" for n in range(4_000))]))
    items = NumberVocabulary(np.arange(4_000))
    began = time.process_time()
    close_items(text, items, titles, limit=20)
    assert time.process_time() - began < 0.5


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_bundle(tmp_path_factory.mktemp("numbers"), has_numbers=True)


@pytest.fixture(scope="module")
def numbers(numbered: Path) -> Iterator[Running]:
    with running(numbered) as started:
        yield started


@pytest.mark.parametrize(
    "item",
    ["9" * 5_000, "-" + "9" * 5_000, str(2**63), str(-(2**70)), "05", "+50", "5e1", "50.0", "x", "\u0665\u0660", ""],
)
def test_a_number_that_is_no_id_is_unknown(numbered: Path, item: str) -> None:
    assert Application(numbered).ask("GET", f"/v1/items/{quote(item)}/similar").status == 404


def test_ids_that_are_numbers_are_answered_as_python_does(numbers: Running, numbered: Path) -> None:
    python, client = Recommender(open_bundle(numbered)), recsys.Client(numbers.url)
    assert [one.item for one in client.similar(50, k=4)] == [one.item for one in python.similar(50, k=4)]
    found = client.recommend([50, 120, 7], k=5)
    assert [one.item for one in found.recommendations] == [one.item for one in python.recommend([50, 120], k=5)]
    assert found.unknown == [7]
    status, _, told = numbers.ask("POST", "/v1/similar", '{"items": [50.0, 7, 9e300, 5.5e0], "k": 2}')
    assert (status, told["detail"]) == (422, "ids of this bundle are of type int64")
    status, _, told = numbers.ask("POST", "/v1/similar", {"items": [50.0, 7, 2**70], "k": 2})
    assert (status, told["unknown"]) == (200, [7, 2**70])
    assert [type(one["item"]) for one in told["answers"][0]["neighbours"]] == [int, int]
    assert client.search("120").items[0].item == 120
    assert numbers.ask("POST", "/v1/recommendations", {"history": ["50"]})[0] == 422
    _, _, told = numbers.ask("GET", "/openapi.json")
    assert {told["components"]["schemas"][name]["type"] for name in ("ItemId", "KnownId")} == {"integer"}
