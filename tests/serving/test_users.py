"""What a request tells of the user reaches the ranker as it does in Python; what cannot be told is not repeated."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import recsys
from recsys.bundle.opened import open_bundle
from recsys.bundle.publish import publish
from recsys.recommender import Recommender
from recsys.serving.client import ServerError
from recsys.serving.lookup import Answers
from recsys.serving.requests import RecommendationsRequest
from tests.bundle.made import RECORD, made_contents, made_dataset
from tests.bundle.made_users import READ, WIDE, ranked_for, with_users
from tests.serving.servers import Running, running

HISTORY = ["i050", "i120", "i300"]
USER = {"age": 33, "langs": ["de", "fr"], "city": "Genève", "member": True}
RULE = "of a user this bundle's ranker reads age, langs, city, member"


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workdir = tmp_path_factory.mktemp("users")
    dataset = with_users(made_dataset(workdir / "dataset"))
    return publish(made_contents(dataset, ranked=ranked_for(dataset, **WIDE)), workdir, RECORD)


@pytest.fixture(scope="module")
def python(reading: Path) -> Recommender:
    return Recommender(open_bundle(reading))


@pytest.fixture(scope="module")
def reader(reading: Path) -> Iterator[Running]:
    with running(reading) as started:
        yield started


@pytest.mark.parametrize("user", [USER, {**USER, "age": 33.5}, {"city": "Atlantis"}, {}, None], ids=str)
def test_answers_are_those_of_python(reader: Running, python: Recommender, user: dict[str, Any] | None) -> None:
    status, _, told = reader.ask("POST", "/v1/recommendations", {"history": HISTORY, "k": 5, "user": user})
    expected = python.recommend(HISTORY, k=5, user=user)
    assert (status, told["source"]) == (200, "ranker")
    assert [one["item"] for one in told["recommendations"]] == [one.item for one in expected]
    client = recsys.Client(reader.url).recommend(HISTORY, k=5, user=user)
    for found in ([one["score"] for one in told["recommendations"]], [one.score for one in client.recommendations]):
        assert found == pytest.approx([one.score for one in expected], abs=1e-5)


def test_with_and_without_users_are_answered_together(python: Recommender, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    many = python.recommend_many

    def counted(histories: Any, **more: Any) -> Any:
        batches.append(len(histories))
        return many(histories, **more)

    monkeypatch.setattr(python, "recommend_many", counted)
    told = [USER, None, {"langs": ["de"] * 9}, {}]
    asked = [RecommendationsRequest.model_validate({"history": HISTORY, "k": 5, "user": user}) for user in told]
    answers = Answers(python)
    together = answers.recommend(asked)
    assert batches == [4]
    for one, request in zip(together, asked, strict=True):
        (alone,) = answers.recommend([request])
        scores, expected = ([each.score for each in found.recommendations] for found in (one, alone))
        assert scores == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("user", "detail"),
    [
        ({"s3cr3t": 1}, RULE),
        ({**USER, "phone": "s3cr3t"}, RULE),
        ("s3cr3t", "user: Input should be an object"),
        ({"s3cr3t": None}, "user: Input should be a valid"),
        ({"s3cr3t": {"s3cr3t": 1}}, "user: Input should be a valid"),
        ({"age": [["s3cr3t"]]}, "user: Input should be a valid"),
        ({"city": "s3cr3t" * 100}, "user: String should have at most 512 characters"),
        ({"s3cr3t" * 100: 1}, "user: String should have at most 512 characters"),
        ({f"s3cr3t{n}": n for n in range(65)}, "user: Dictionary should have at most 64 items"),
        ({"langs": ["s3cr3t"] * 65}, "user: List should have at most 64 items"),
    ],
    ids=lambda told: str(told)[:40],
)
def test_what_cannot_be_told(reader: Running, user: object, detail: str) -> None:
    body = {"history": HISTORY, "k": 5, "user": user}
    for path, asked in (("", body), (":batch", {"requests": [body]})):
        status, _, told = reader.ask("POST", f"/v1/recommendations{path}", asked)
        assert status == 422
        assert detail.removeprefix("user: ") in told["detail"]
        assert "s3cr3t" not in str(told)
        assert len(told["detail"]) < 800
    assert not any("s3cr3t" in line for line in reader.lines)


def test_numbers_are_finite(reader: Running) -> None:
    for number in ("NaN", "1e400"):
        status, _, told = reader.ask("POST", "/v1/recommendations", f'{{"history": [], "user": {{"age": {number}}}}}')
        assert (status, "finite number" in told["detail"]) == (422, True)


def test_a_bundle_that_reads_none_says_so_and_describes_none(server: Running, reader: Running) -> None:
    with pytest.raises(ServerError, match="reads nothing of a user but the history: tell no features of the user"):
        recsys.Client(server.url).recommend(HISTORY, user={})
    assert recsys.Client(server.url).bundle().user_features == []
    _, _, told = server.ask("GET", "/openapi.json")
    assert "user" not in told["components"]["schemas"]["RecommendationsRequest"]["properties"]
    assert "User" not in told["components"]["schemas"]
    assert recsys.Client(reader.url).bundle().user_features == READ
    _, _, told = reader.ask("GET", "/openapi.json")
    assert "user" in told["components"]["schemas"]["RecommendationsRequest"]["properties"]
    user = told["components"]["schemas"]["User"]
    assert (list(user["properties"]), user["additionalProperties"]) == (READ, False)
