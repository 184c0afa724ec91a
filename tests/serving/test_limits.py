"""No request makes more work, nor a longer refusal, than one request may."""

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from recsys.serving.batching import slices
from recsys.serving.requests import RecommendationsRequest
from tests.serving.apps import Application, ask

EMPTY = {"history": [[]] * 10_000}
MANY = {f"s3cr3t{n}": [] for n in range(50_000)}


@pytest.fixture(scope="module")
def app(bundle: Path) -> Application:
    return Application(bundle)


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("recommendations", EMPTY, "history.0: Input should be a valid string or number"),
        ("recommendations", {"history": [{"item": {}}] * 9_000}, "history.0.item: Input should be a valid string or"),
        (
            "recommendations",
            {"history": [], "allow": [{}] * 9_000},
            "allow.0: Input should be a valid string or number",
        ),
        (
            "recommendations",
            {"history": ["s3cr3t" * 100] * 900},
            "history.0: String should have at most 512 characters",
        ),
        ("recommendations", {"history": [], **MANY}, "the body breaks the rules in 50,000 places"),
        ("recommendations", {"history": [], "user": MANY}, "user: Dictionary should have at most 64 items"),
        ("recommendations", {"history": [], "user": {"s3cr3t": [[]] * 200_000}}, "user: List should have at most 64"),
        ("recommendations:batch", {"requests": [EMPTY] * 24}, "requests.0.history.0: Input should be a valid string"),
        ("similar", {"items": [[]] * 10_000}, "items.0: Input should be a valid string or number"),
        ("similar", {"items": [True]}, "items.0: Input should be a valid string or number"),
    ],
    ids=lambda told: str(told)[:40],
)
def test_the_first_faults_are_told_however_many_there_are(app: Application, path: str, body: Any, detail: str) -> None:
    data = json.dumps(body, separators=(",", ":")).encode()
    assert len(data) < 1_000_000
    began = time.process_time()
    told = app.ask("POST", f"/v1/{path}", data)
    assert time.process_time() - began < 1.5
    assert told.status == 422
    assert detail in told.json["detail"]
    assert len(told.body) < 700
    for strange in (b"s3cr3t", b"[", b"function", b"union"):
        assert strange not in told.body


def batch(number: int, **each: Any) -> dict[str, Any]:
    return {"requests": [{"history": ["i050"], **each}] * number}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("similar", {"items": ["i050"] * 100, "k": 1000}, 200),
        ("similar", {"items": ["i050"] * 101, "k": 1000}, 422),
        ("similar", {"items": ["i050"] * 10_000, "k": 11}, 422),
        ("recommendations:batch", batch(100, k=1000), 200),
        ("recommendations:batch", batch(101, k=1000), 422),
        ("recommendations:batch", batch(5, k=1000, because=True), 200),
        ("recommendations:batch", batch(6, k=1000, because=True), 422),
    ],
    ids=lambda told: str(told)[:40],
)
def test_the_work_of_a_request_is_bounded(app: Application, path: str, body: Any, status: int) -> None:
    told = app.ask("POST", f"/v1/{path}", body)
    assert told.status == status
    if status == 422:
        assert "100,000 at most" in told.json["detail"]


def test_single_requests_take_turns_with_a_batch(bundle: Path) -> None:
    app, taken = Application(bundle), list[int]()
    recommend = app.current.answers.recommend

    def slow(asked: Sequence[RecommendationsRequest]) -> Any:
        taken.append(len(asked))
        time.sleep(0.02)
        return recommend(asked)

    app.current.answers.recommend = slow  # type: ignore[method-assign]

    async def both() -> None:
        together = asyncio.create_task(ask(app.app, "POST", "/v1/recommendations:batch", batch(200)))
        while not taken:
            await asyncio.sleep(0.001)
        alone = await ask(app.app, "POST", "/v1/recommendations", {"history": ["i050"]})
        assert (alone.status, together.done()) == (200, False)
        told = await together
        assert len(told.json["answers"]) == 200
        found = [[one["item"] for one in each["recommendations"]] for each in (told.json["answers"][199], alone.json)]
        assert found[0] == found[1]

    asyncio.run(both())
    assert max(taken) < 20


@pytest.mark.parametrize("wrong", [{"history": [5]}, {"history": [], "user": {}}], ids=str)
def test_a_batch_that_is_refused_says_where(app: Application, wrong: dict[str, Any]) -> None:
    asked = batch(60)
    asked["requests"][37] = wrong
    told = app.ask("POST", "/v1/recommendations:batch", asked)
    alone = app.ask("POST", "/v1/recommendations", wrong)
    assert (told.status, told.json["detail"]) == (422, f"requests.37: {alone.json['detail']}")


@pytest.mark.parametrize("sizes", [[], [1], [5] * 7, [9, 1, 1, 1, 30, 2, 2], [10] * 4])
def test_slices_are_all_in_order_and_small(sizes: list[int]) -> None:
    found = list(slices(sizes, number=3, size=10))
    assert [size for part in found for size in sizes[part]] == sizes
    for part in found:
        own = sizes[part]
        assert 1 <= len(own) <= 3
        assert sum(own) <= 10 or len(own) == 1
