"""What is asked over HTTP is answered as Python answers it, and what cannot be is refused without an echo."""

import pytest

from recsys.recommender import Recommender
from recsys.serving.pages import PAGES
from tests.serving.servers import Running

HISTORY = ["i050", "i120", "i010"]


def test_neighbours_are_those_of_python(server: Running, recommender: Recommender) -> None:
    status, headers, told = server.ask("GET", "/v1/items/i050/similar?k=4&titles=true")
    assert status == 200
    assert told["bundle"] == recommender.bundle.content_id
    expected = recommender.similar("i050", k=4)
    assert [(one["item"], one["title"], one["score"]) for one in told["neighbours"]] == [
        (one.item, one.title, pytest.approx(one.score)) for one in expected
    ]
    assert len(headers["x-request-id"]) == 16
    assert headers["x-content-type-options"] == "nosniff"


def test_many_items_at_once_and_the_unknown_ones_are_told(server: Running, recommender: Recommender) -> None:
    status, _, told = server.ask("POST", "/v1/similar", {"items": ["i050", "zzz", "i070"], "k": 3, "deny": ["i010"]})
    assert (status, told["unknown"]) == (200, ["zzz"])
    assert [answer["item"] for answer in told["answers"]] == ["i050", "i070"]
    expected = recommender.similar("i070", k=3, deny=["i010"])
    assert [one["item"] for one in told["answers"][1]["neighbours"]] == [one.item for one in expected]


@pytest.mark.parametrize("more", [{}, {"exclude_seen": False}, {"allow": ["i020", "i030"]}, {"deny": ["i020"]}])
def test_recommendations_are_those_of_python(server: Running, recommender: Recommender, more: dict) -> None:
    status, _, told = server.ask("POST", "/v1/recommendations", {"history": [*HISTORY, "zzz"], "k": 5, **more})
    assert (status, told["source"], told["unknown"]) == (200, "retriever", ["zzz"])
    expected = recommender.recommend(HISTORY, k=5, **more)
    assert [one["item"] for one in told["recommendations"]] == [one.item for one in expected]
    assert [one["score"] for one in told["recommendations"]] == pytest.approx([one.score for one in expected], abs=1e-5)


@pytest.mark.parametrize("timed", [3, 2])
def test_clicks_may_come_with_times(server: Running, recommender: Recommender, timed: int) -> None:
    history = [{"item": item, "time": 1e9 + place} if place < timed else item for place, item in enumerate(HISTORY)]
    status, _, told = server.ask("POST", "/v1/recommendations", {"history": history, "k": 3})
    assert status == 200
    assert [one["item"] for one in told["recommendations"]] == [one.item for one in recommender.recommend(HISTORY, k=3)]


def test_an_empty_history_gets_the_popular_items_and_says_so(server: Running, recommender: Recommender) -> None:
    for history in ([], ["zzz"]):
        status, _, told = server.ask("POST", "/v1/recommendations", {"history": history, "k": 3})
        assert (status, told["source"]) == (200, "popular")
        assert [one["item"] for one in told["recommendations"]] == [one.item for one in recommender.recommend([], k=3)]


def test_a_batch_is_what_its_requests_are_alone(server: Running) -> None:
    asked = [{"history": HISTORY[:n], "k": 2 + n, "exclude_seen": n % 2 == 0} for n in range(4)]
    _, _, together = server.ask("POST", "/v1/recommendations:batch", {"requests": asked})
    for one, request in zip(together["answers"], asked, strict=True):
        _, _, alone = server.ask("POST", "/v1/recommendations", request)
        assert [each["item"] for each in one["recommendations"]] == [each["item"] for each in alone["recommendations"]]
        assert len(one["recommendations"]) == request["k"]


def test_reasons_are_clicks_without_which_the_score_falls(server: Running, recommender: Recommender) -> None:
    _, _, told = server.ask("POST", "/v1/recommendations", {"history": HISTORY, "k": 40, "because": True})
    found = {one["item"]: one for one in told["recommendations"]}
    assert any(one["because"] for one in found.values())
    for item, one in found.items():
        for reason in one["because"]:
            without = [click for click in HISTORY if click != reason["item"]]
            scores = {each.item: each.score for each in recommender.recommend(without, k=40, exclude_seen=False)}
            assert one["score"] - scores[item] == pytest.approx(reason["raises"], abs=1e-4)
            assert reason["raises"] > 0


def test_search_bundle_and_map(server: Running, recommender: Recommender) -> None:
    _, _, found = server.ask("GET", "/v1/items?q=Film%2012")
    assert found["items"][0] == {"item": "i120", "title": "Film 12 (1999)"}
    _, _, facts = server.ask("GET", "/v1/bundle")
    assert (facts["bundle"], facts["num_items"], facts["has_ranker"]) == (recommender.bundle.content_id, 40, False)
    _, _, places = server.ask("GET", "/v1/map")
    assert len(places["places"]) == 40
    assert all(-1 <= place[axis] <= 1 for place in places["places"] for axis in "xy")


def test_the_documentation_names_every_route(server: Running) -> None:
    _, _, told = server.ask("GET", "/openapi.json")
    assert set(told["paths"]) == {
        "/v1/items/{item}/similar",
        "/v1/similar",
        "/v1/recommendations",
        "/v1/recommendations:batch",
        "/v1/items",
        "/v1/map",
        "/v1/bundle",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    schemas = told["components"]["schemas"]
    assert "history" in schemas["RecommendationsRequest"]["properties"]
    assert schemas["ItemId"]["type"] == "string"


def test_the_pages_are_files_of_this_server(server: Running) -> None:
    for path, file in PAGES.items():
        status, headers, told = server.ask("GET", path)
        assert (status, headers["content-type"].split(";")[0]) == (200, file.kind)
        assert "https://" not in told


def test_metrics_count_by_route_and_never_by_what_was_written(server: Running) -> None:
    server.ask("GET", "/v1/items/secret-name/similar")
    server.ask("GET", "/secret-path")
    _, _, told = server.ask("GET", "/metrics")
    assert 'recsys_requests_total{route="/v1/items/{item}/similar",status="404"}' in told
    assert "secret" not in told
    assert "recsys_bundle_info" in told


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "detail"),
    [
        ("GET", "/v1/items/s3cr3t/similar", None, 404, "the model that is served knows no such item"),
        ("GET", "/v1/items/i050/similar?k=0", None, 422, "k is a whole number from 1 to 1,000"),
        ("GET", "/v1/items/i050/similar?k=s3cr3t", None, 422, "k is a whole number"),
        ("GET", "/v1/items/i050/similar?s3cr3t=1", None, 422, "the query takes k and titles"),
        ("GET", "/v1/items/i050/similar?titles=s3cr3t", None, 422, "titles is true or false"),
        ("GET", "/v1/items", None, 422, "q: Field required"),
        ("GET", "/s3cr3t", None, 404, "see /docs for what there is"),
        ("PUT", "/v1/similar", "{}", 405, "see /docs"),
        ("POST", "/v1/similar", "s3cr3t", 422, "the body is no JSON"),
        ("POST", "/v1/similar", "", 422, "the body is no JSON"),
        ("POST", "/v1/similar", {"items": []}, 422, "items: List should have at least 1 item"),
        ("POST", "/v1/similar", {"items": ["i050"], "s3cr3t": 1}, 422, "the body has a field too many"),
        ("POST", "/v1/similar", {"items": [5]}, 422, "ids of this bundle are of type string"),
        ("POST", "/v1/similar", {"items": ["i050"], "k": True}, 422, "k: Input should be a valid integer"),
        ("POST", "/v1/similar", '{"items": ["\\ud800"]}', 422, "the body is no JSON"),
        ("POST", "/v1/recommendations", '{"history": [], "asked": NaN}', 422, "finite number"),
        ("POST", "/v1/recommendations", '{"history": [], "asked": 1e400}', 422, "finite number"),
        ("POST", "/v1/recommendations", {"history": [{"item": "i050"}]}, 422, "time: Field required"),
        ("POST", "/v1/recommendations", {"history": [7]}, 422, "ids of this bundle are of type string"),
        ("POST", "/v1/recommendations", {"history": ["i"] * 10_001}, 422, "history: List should have at most 10000"),
        ("POST", "/v1/recommendations", "[" * 100_000, 422, "the body is no JSON"),
        ("POST", "/v1/recommendations:batch", {"requests": []}, 422, "requests: List should have at least 1"),
        ("POST", "/v1/recommendations", "x" * 1_000_001, 413, "a body has at most 1,000,000 bytes"),
        ("POST", "/admin/reload", "", 404, "see /docs"),
    ],
)
def test_what_cannot_be_answered(
    server: Running, method: str, path: str, body: object, status: int, detail: str
) -> None:
    found, headers, told = server.ask(method, path, body)
    assert (found, headers["content-type"]) == (status, "application/problem+json")
    assert detail in told["detail"]
    assert told["request_id"] == headers["x-request-id"]
    assert "s3cr3t" not in str(told)
