"""What every route has in common: who may ask, what a query may say, and how faults are told and counted."""

from pathlib import Path
from typing import Any

import pytest

from tests.serving.apps import Application

WORD, ADMIN = {"authorization": "Bearer word"}, {"authorization": "Bearer admin"}


@pytest.fixture(scope="module")
def app(bundle: Path) -> Application:
    return Application(bundle)


@pytest.fixture(scope="module")
def closed(bundle: Path) -> Application:
    return Application(bundle, token="word", admin="admin")


@pytest.mark.parametrize(
    ("method", "path", "body", "broken"),
    [
        ("POST", "/v1/recommendations", {"history": ["i050"]}, "recommend"),
        ("POST", "/v1/recommendations:batch", {"requests": [{"history": []}]}, "recommend"),
        ("POST", "/v1/similar", {"items": ["i050"]}, "similar"),
        ("GET", "/v1/items?q=film", None, "search"),
        ("GET", "/v1/items/i050/similar", None, "neighbours"),
    ],
)
def test_a_fault_of_ours_is_a_problem_that_the_log_knows_by_its_id(
    bundle: Path, caplog: pytest.LogCaptureFixture, method: str, path: str, body: Any, broken: str
) -> None:
    app = Application(bundle)

    def fails(*_: Any) -> None:
        raise ZeroDivisionError("a secret")

    setattr(app.current.answers, broken, fails)
    told = app.ask(method, path, body)
    assert (told.status, told.headers["content-type"]) == (500, "application/problem+json")
    assert told.json["request_id"] == told.headers["x-request-id"]
    assert told.json["request_id"] in caplog.text
    assert b"secret" not in told.body


def test_the_administrators_token_alone_reloads(closed: Application) -> None:
    assert closed.ask("POST", "/admin/reload", **ADMIN).json["outcome"] == "unchanged"
    for wrong in (WORD, {}):
        assert closed.ask("POST", "/admin/reload", **wrong).status == 401


@pytest.mark.parametrize("path", ["/openapi.json", "/v1/bundle", "/v1/map", "/v1/items/i050/similar", "/nowhere"])
def test_what_is_of_the_bundle_needs_the_token(closed: Application, path: str) -> None:
    assert closed.ask("GET", path).status == 401
    assert closed.ask("GET", path, **ADMIN).status == 401
    assert closed.ask("GET", path, **WORD).status == (404 if path == "/nowhere" else 200)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/", "/docs", "/docs.js"])
def test_health_and_pages_need_none(closed: Application, path: str) -> None:
    assert closed.ask("GET", path).status == 200


@pytest.mark.parametrize(
    ("told", "status"),
    [("bearer word", 200), ("BEARER  word", 200), ("Bearer", 401), ("word", 401), ("Basic word", 401)],
)
def test_schemes_are_of_one_case(closed: Application, told: str, status: int) -> None:
    assert closed.ask("GET", "/v1/bundle", authorization=told).status == status


def test_the_description_tells_of_tokens_where_there_are_some(app: Application, closed: Application) -> None:
    assert "securitySchemes" not in app.ask("GET", "/openapi.json").json["components"]
    told = closed.ask("GET", "/openapi.json", **WORD).json
    bearer = {"type": "http", "scheme": "bearer"}
    assert told["components"]["securitySchemes"] == {"token": bearer, "administrator": bearer}
    security = {path: operation.get("security") for path, each in told["paths"].items() for operation in each.values()}
    assert security.pop("/admin/reload") == [{"administrator": []}]
    assert {path for path, needs in security.items() if needs is None} == {"/healthz", "/readyz", "/metrics"}


@pytest.mark.parametrize(
    ("target", "detail"),
    [
        ("/v1/items/i050/similar?zzz=1", "the query takes k and titles"),
        ("/v1/items/i050/simila%72?zzz=1", "the query takes k and titles"),
        ("/v1/items/i050/similar?k=1&k=2", "the query says a name twice"),
        ("/v1/items?q=film&limit=3", "the query takes q"),
        ("/v1/items?q=a&q=b", "the query says a name twice"),
        ("/v1/bundle?limit=3", "the query takes nothing"),
        ("/v1/map?limit=3", "the query takes nothing"),
        ("/v1/items?q=" + "e" * 101, "q: String should have at most 100 characters"),
        ("/v1/items", "q: Field required"),
    ],
)
def test_a_query_has_no_strange_name_and_none_twice(app: Application, target: str, detail: str) -> None:
    told = app.ask("GET", target)
    assert (told.status, told.json["detail"]) == (422, detail)


def test_nor_has_that_of_a_body(app: Application) -> None:
    told = app.ask("POST", "/v1/recommendations?zzz=1", {"history": []})
    assert (told.status, told.json["detail"]) == (422, "the query takes nothing")


def test_a_search_is_described_with_its_limit(app: Application) -> None:
    (asked,) = app.ask("GET", "/openapi.json").json["paths"]["/v1/items"]["get"]["parameters"]
    assert (asked["name"], asked["schema"]["maxLength"]) == ("q", 100)


def test_nobody_is_sent_elsewhere(app: Application) -> None:
    assert app.ask("GET", "/v1/items/?q=film").status == 404


def counted(app: Application, route: str, status: int) -> bool:
    return f'recsys_requests_total{{route="{route}",status="{status}"}} 1\n'.encode() in app.ask("GET", "/metrics").body


def test_what_is_refused_before_its_route_counts_as_that_routes(bundle: Path) -> None:
    app = Application(bundle, token="word", body_bytes=10)
    assert app.ask("POST", "/v1/similar", b"x" * 20, **WORD).status == 413
    assert app.ask("GET", "/v1/items/secret/similar").status == 401
    assert app.ask("GET", "/secret").status == 401
    assert counted(app, "/v1/similar", 413)
    assert counted(app, "/v1/items/{item}/similar", 401)
    assert counted(app, "other", 401)
    assert b"secret" not in app.ask("GET", "/metrics").body
