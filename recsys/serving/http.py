"""The application: all routes under one guard, and a way round the routing for what is asked most."""

from concurrent.futures import Executor
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from recsys.serving.access import AccessLog
from recsys.serving.config import ServeConfig
from recsys.serving.current import Current
from recsys.serving.description import openapi
from recsys.serving.guard import App, Guard, Receive, Refusal, Scope, Send, problem
from recsys.serving.lookup import Answers
from recsys.serving.metrics import Metrics
from recsys.serving.routes import Routes

TOLD = "Nearest items and recommendations of one bundle. Every answer names the bundle that gave it."
PREFIX, SUFFIX = b"/v1/items/", b"/similar"


def create_app(
    current: Current, config: ServeConfig, executor: Executor, *, token: str | None = None, admin: str | None = None
) -> App:
    """Everything under one guard. `token` is asked of all, `admin` of who wants a reload, which is off without it.

    The `executor` has one thread: a bundle's modules are not shared between two calls.
    """
    metrics = Metrics()
    metrics.serving(current.answers.bundle)
    routes = Routes(current, config, metrics, executor)
    app = FastAPI(title="recsys", version="1", description=TOLD, docs_url=None, redoc_url=None, lifespan=routes.living)
    app.openapi = lambda: _described(app, current.answers)  # type: ignore[method-assign]
    app.add_exception_handler(Refusal, _refused)
    for error in (HTTPException, RequestValidationError):
        app.add_exception_handler(error, _without_route)
    routes.add_to(app, admin)
    return Guard(Hot(app, routes), config, metrics, log=AccessLog(), token=token)


class Hot:
    """Answers one item's lookups before any routing: the routing would take longer than they do."""

    def __init__(self, app: App, routes: "Routes") -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("raw_path") or b""
        if (
            scope["type"] != "http"
            or not (path.startswith(PREFIX) and path.endswith(SUFFIX))
            or scope["method"] != "GET"
        ):
            await self._app(scope, receive, send)
            return
        scope["hot_route"] = "/v1/items/{item}/similar"
        item = unquote(path[len(PREFIX) : -len(SUFFIX)].decode("latin-1"), errors="replace")
        body = self._routes.neighbours(item, scope["query_string"])
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _described(app: FastAPI, answers: Answers) -> dict[str, Any]:
    return openapi(app, answers.id_type, answers.examples, answers.user_features)


async def _refused(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    body = problem(refusal.status, refusal.title, refusal.detail, request.state.request_id)
    headers = {name.decode(): value.decode() for name, value in refusal.headers}
    return Response(body, refusal.status, headers, media_type="application/problem+json")


async def _without_route(request: Request, error: Exception) -> Response:
    """Starlette's own: no such path, no such method; FastAPI's: a query that is none."""
    status = getattr(error, "status_code", 422)
    titles = {404: "Not found", 405: "Method not allowed"}
    detail = "see /docs for what there is" if status in titles else "the query is not what /docs says"
    body = problem(status, titles.get(status, "Unprocessable"), detail, request.state.request_id)
    return Response(body, status, getattr(error, "headers", None), media_type="application/problem+json")
