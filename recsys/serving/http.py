"""The application: all routes under one guard, and a way round the routing for what is asked most."""

from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from recsys.serving.access import AccessLog
from recsys.serving.asgi import Receive, Scope, Send
from recsys.serving.config import ServeConfig
from recsys.serving.current import Current
from recsys.serving.description import openapi
from recsys.serving.guard import ALWAYS, App, Guard, log
from recsys.serving.metrics import Metrics
from recsys.serving.parsing import query_of, told
from recsys.serving.refusal import Refusal, fault_of_ours, unprocessable
from recsys.serving.routes import Routes

TOLD = "Nearest items and recommendations of one bundle. Every answer names the bundle that gave it."
Handler = Callable[[Request], Coroutine[Any, Any, Response]]
PREFIX, SUFFIX, HOT = "/v1/items/", "/similar", "/v1/items/{item}/similar"


def create_app(
    current: Current, config: ServeConfig, executor: Executor, *, token: str | None = None, admin: str | None = None
) -> App:
    """Everything under one guard. `token` is asked of all, `admin` of who wants a reload, which is off without it.

    The `executor` has one thread: a bundle's modules are not shared between two calls.
    """
    metrics = Metrics()
    metrics.serving(current.answers.bundle)
    routes = Routes(current, config, metrics, executor)
    app = FastAPI(
        title="recsys",
        version="1",
        description=TOLD,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=routes.living,
    )
    app.openapi = lambda: openapi(app, current.answers, has_token=token is not None)  # type: ignore[method-assign]
    app.router.route_class = StrictRoute
    for error, answer in ANSWERED.items():
        app.add_exception_handler(error, answer)
    routes.add_to(app, admin)
    hot = Hot(app, routes)
    return Guard(hot, config, metrics, log=AccessLog(), token=token, route_of=hot.route_of)


class Hot:
    """Answers one item's lookups before any routing: the routing would take longer than they do."""

    def __init__(self, app: FastAPI, routes: Routes) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not _is_hot(scope["path"]):
            await self._app(scope, receive, send)
            return
        scope["hot_route"] = HOT
        body = self._routes.neighbours_asked(scope["path"][len(PREFIX) : -len(SUFFIX)], scope["query_string"])
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def route_of(self, scope: Scope) -> str:
        """The pattern of a request that did not get as far as its route."""
        if _is_hot(scope["path"]):
            return HOT
        routes = (route for route in self._app.routes if isinstance(route, Route))
        return next((route.path for route in routes if route.matches(scope)[0] != Match.NONE), "other")


def _is_hot(path: str) -> bool:
    return path.startswith(PREFIX) and path.endswith(SUFFIX)


class StrictRoute(APIRoute):
    """Takes no name in a query that it does not have, and none twice, unless it never refuses.

    A dependency would do the same, and cost a recommendation a third of its time.
    """

    def get_route_handler(self) -> Handler:
        handle, names = super().get_route_handler(), [each.alias for each in self.dependant.query_params]
        if self.path in ALWAYS:
            return handle

        async def strictly(request: Request) -> Response:
            query_of(request.scope["query_string"], names)
            return await handle(request)

        return strictly


async def _refused(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    return _problem(request, refusal)


async def _without_route(request: Request, error: Exception) -> Response:
    """Starlette's own: no such path, no such method."""
    assert isinstance(error, HTTPException)
    title = {404: "Not found", 405: "Method not allowed"}.get(error.status_code, "Refused")
    headers = tuple((name.encode(), value.encode()) for name, value in (error.headers or {}).items())
    return _problem(request, Refusal(error.status_code, title, "see /docs for what there is", headers))


async def _without_query(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _problem(request, unprocessable(told(error.errors())))


async def _failed(request: Request, _: Exception) -> Response:
    """It goes on to the server's log, which then has its id."""
    log.error("request %s failed", request.state.request_id)
    return _problem(request, fault_of_ours())


def _problem(request: Request, refusal: Refusal) -> Response:
    headers = {name.decode(): value.decode() for name, value in refusal.headers}
    body = refusal.problem(request.state.request_id)
    return Response(body, refusal.status, headers, media_type="application/problem+json")


ANSWERED = {
    Refusal: _refused,
    HTTPException: _without_route,
    RequestValidationError: _without_query,
    Exception: _failed,
}
