"""What stands before every route: who may ask, how much at a time, how long a body may take, and what is written down.

Plain ASGI. A body is read whole before its request counts as one in flight, so that slow clients starve nobody.
"""

import hmac
import logging
import secrets
import time
from collections.abc import Awaitable, Callable

from recsys.serving.access import AccessLog
from recsys.serving.asgi import Message, Receive, Scope, Send
from recsys.serving.bodies import Bodies
from recsys.serving.config import ServeConfig
from recsys.serving.metrics import Metrics
from recsys.serving.pages import PAGES
from recsys.serving.refusal import Refusal, busy, fault_of_ours
from recsys.serving.unread import cut_if_unread

App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("recsys.serving")
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
ALWAYS = {"/healthz", "/readyz", "/metrics"}
RELOAD = "/admin/reload"
# What asks for no token, or for another one by itself.
OPEN = {*PAGES, RELOAD}
NO_SNIFFING = (b"x-content-type-options", b"nosniff")
# What a browser shows has these, too; a client pays for every header of every answer.
OF_PAGES = [
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
]


class Guard:
    """`token`, where there is one, is asked for every answer but the pages' own files and the server's health.

    `route_of` tells the pattern of a request that is refused here, before it comes to its route.
    """

    def __init__(
        self,
        app: App,
        config: ServeConfig,
        metrics: Metrics,
        *,
        log: AccessLog | None = None,
        token: str | None = None,
        route_of: Callable[[Scope], str] = lambda _: "other",
    ) -> None:
        self._app = app
        self._log = log
        self._config = config
        self._bodies = Bodies(config)
        self._metrics = metrics
        self._token = token
        self._route_of = route_of
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, exchange = time.perf_counter(), Exchange(send, self._config.unread_seconds)
        scope["state"] = {**scope.get("state", {}), "request_id": exchange.request_id}
        try:
            await self._answer(scope, receive, exchange)
        except Refusal as refusal:
            await exchange.refuse(refusal)
        finally:
            if exchange.status == 0:  # what went wrong goes on to the server's log, which then has its id
                log.error("request %s failed", exchange.request_id)
                await exchange.refuse(fault_of_ours())
            self._write_down(scope, exchange, time.perf_counter() - began)

    async def _answer(self, scope: Scope, receive: Receive, exchange: "Exchange") -> None:
        if scope["path"] in ALWAYS:
            await self._app(scope, receive, exchange)
            return
        self._authorize(scope)
        body = await self._bodies.read(scope, receive)
        if self._in_flight >= self._config.in_flight:
            raise busy("as many requests as may be are being answered")
        self._in_flight += 1
        self._metrics.in_flight(self._in_flight)
        try:
            await self._app(scope, _replayed(body, receive), exchange)
        finally:
            self._in_flight -= 1
            self._metrics.in_flight(self._in_flight)

    def _authorize(self, scope: Scope) -> None:
        if self._token is None or scope["path"] in OPEN:
            return
        demand_bearer(scope, self._token, "a bearer token is asked for")

    def _write_down(self, scope: Scope, exchange: "Exchange", seconds: float) -> None:
        route = str(scope.get("hot_route") or getattr(scope.get("route"), "path", None) or self._route_of(scope))
        self._metrics.answered(route, exchange.status, seconds)
        if self._log is not None:
            # no client's words are in it, so nothing needs escaping
            self._log.write(
                f'{{"request_id":"{exchange.request_id}","method":"{exchange.method(scope)}","route":"{route}",'
                f'"status":{exchange.status},"ms":{1e3 * seconds:.3f}}}'
            )


class Exchange:
    """The sending half of a request: its id, the headers that every answer has, and what became of it."""

    def __init__(self, send: Send, unread_seconds: float) -> None:
        self._send = send
        self._unread_seconds = unread_seconds
        self.request_id = secrets.token_hex(8)
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message["headers"], NO_SNIFFING, (b"x-request-id", self.request_id.encode())]
            if any(name == b"content-type" and kind.startswith(b"text/") for name, kind in headers):
                headers += OF_PAGES
            await self._send({**message, "headers": headers})
            return
        await self._send(message)
        cut_if_unread(self._send, self._unread_seconds)

    @staticmethod
    def method(scope: Scope) -> str:
        """As far as it is one: others are a client's words."""
        return scope["method"] if scope["method"] in METHODS else "other"

    async def refuse(self, refusal: Refusal) -> None:
        """As problem details (RFC 9457), unless an answer has begun."""
        if self.status:
            return
        body = refusal.problem(self.request_id)
        headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
        await self({"type": "http.response.start", "status": refusal.status, "headers": [*headers, *refusal.headers]})
        await self({"type": "http.response.body", "body": body})


def demand_bearer(scope: Scope, token: str, detail: str) -> None:
    """Refusal of a request that does not bring this very token; however wrong, it takes as long to tell."""
    scheme, _, told = dict(scope["headers"]).get(b"authorization", b"").partition(b" ")
    is_right = hmac.compare_digest(told.strip(b" "), token.encode())
    if not is_right or scheme.lower() != b"bearer":
        raise Refusal(401, "Unauthorized", detail, ((b"www-authenticate", b"Bearer"),))


def _replayed(body: bytes, receive: Receive) -> Receive:
    is_sent = False

    async def replay() -> Message:
        nonlocal is_sent
        if is_sent:
            return await receive()
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
