"""What stands before every route: who may ask, how much at a time, how long a body may take, and what is written down.

Plain ASGI. A body is read whole before its request counts as one in flight, so that slow clients starve nobody.
"""

import asyncio
import hmac
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from recsys.serving.access import AccessLog
from recsys.serving.config import ServeConfig
from recsys.serving.metrics import Metrics
from recsys.serving.pages import PAGES

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("recsys.serving")
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
ALWAYS = {"/healthz", "/readyz", "/metrics"}
OPEN = {*PAGES, "/openapi.json"}
PATIENCE = 16
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


class Refusal(Exception):  # noqa: N818 - an answer
    """A problem that is told the client instead of an answer."""

    def __init__(self, status: int, title: str, detail: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail, self.headers = status, title, detail, headers


class Guard:
    """`token`, where there is one, is asked for every answer but the pages' own files and the server's health."""

    def __init__(
        self, app: App, config: ServeConfig, metrics: Metrics, *, log: AccessLog | None = None, token: str | None = None
    ) -> None:
        self._app = app
        self._log = log
        self._config = config
        self._metrics = metrics
        self._token = token
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, exchange = time.perf_counter(), Exchange(send)
        scope["state"] = {**scope.get("state", {}), "request_id": exchange.request_id}
        try:
            await self._answer(scope, receive, exchange)
        except Refusal as refusal:
            await exchange.refuse(refusal)
        finally:
            if exchange.status == 0:  # what went wrong goes on to the server's log, which then has its id
                log.error("request %s failed", exchange.request_id)
                told = "the fault is the server's; its log has the request's id"
                await exchange.refuse(Refusal(500, "Internal error", told))
            self._write_down(scope, exchange, time.perf_counter() - began)

    async def _answer(self, scope: Scope, receive: Receive, exchange: "Exchange") -> None:
        if scope["path"] in ALWAYS:
            await self._app(scope, receive, exchange)
            return
        self._authorize(scope)
        body = await self._body(scope, receive)
        if self._in_flight >= self._config.in_flight:
            raise Refusal(503, "Busy", "as many requests as may be are being answered", ((b"retry-after", b"1"),))
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

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        if scope["method"] in ("GET", "HEAD"):
            return b""
        most = self._config.body_bytes
        # somewhat too much is read to its end and forgotten: whoever is cut off while sending sees no answer
        read = PATIENCE * most
        length = dict(scope["headers"]).get(b"content-length", b"0")
        parts, size, more = [], int(length) if length.isdigit() and int(length) > read else 0, True
        try:
            async with asyncio.timeout(self._config.body_seconds):
                while more and size <= read:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refusal(400, "Gone", "the client went away")
                    part, more = message.get("body", b""), message.get("more_body", False)
                    size += len(part)
                    if size <= most:
                        parts.append(part)
        except TimeoutError:
            told = f"a body must have come within {self._config.body_seconds:g} seconds"
            raise Refusal(408, "Too slow", told, ((b"connection", b"close"),)) from None
        if size > most:
            raise _too_large(most)
        return b"".join(parts)

    def _write_down(self, scope: Scope, exchange: "Exchange", seconds: float) -> None:
        route = str(scope.get("hot_route") or getattr(scope.get("route"), "path", "other"))
        self._metrics.answered(route, exchange.status, seconds)
        if self._log is not None:
            # no client's words are in it, so nothing needs escaping
            self._log.write(
                f'{{"request_id":"{exchange.request_id}","method":"{exchange.method(scope)}","route":"{route}",'
                f'"status":{exchange.status},"ms":{1e3 * seconds:.3f}}}'
            )


class Exchange:
    """The sending half of a request: its id, the headers that every answer has, and what became of it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.request_id = secrets.token_hex(8)
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message["headers"], NO_SNIFFING, (b"x-request-id", self.request_id.encode())]
            if any(name == b"content-type" and kind.startswith(b"text/") for name, kind in headers):
                headers += OF_PAGES
            message = {**message, "headers": headers}
        await self._send(message)

    @staticmethod
    def method(scope: Scope) -> str:
        """As far as it is one: others are a client's words."""
        return scope["method"] if scope["method"] in METHODS else "other"

    async def refuse(self, refusal: Refusal) -> None:
        """As problem details (RFC 9457), unless an answer has begun."""
        if self.status:
            return
        body = problem(refusal.status, refusal.title, refusal.detail, self.request_id)
        headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
        await self({"type": "http.response.start", "status": refusal.status, "headers": [*headers, *refusal.headers]})
        await self({"type": "http.response.body", "body": body})


def demand_bearer(scope: Scope, token: str, detail: str) -> None:
    """Refusal of a request that does not bring this very token; however wrong, it takes as long to tell."""
    told = dict(scope["headers"]).get(b"authorization", b"")
    if not hmac.compare_digest(told, f"Bearer {token}".encode()):
        raise Refusal(401, "Unauthorized", detail, ((b"www-authenticate", b"Bearer"),))


def problem(status: int, title: str, detail: str, request_id: str) -> bytes:
    told = {"type": "about:blank", "title": title, "status": status, "detail": detail, "request_id": request_id}
    return json.dumps(told).encode()


def _too_large(most: int) -> Refusal:
    return Refusal(413, "Too large", f"a body has at most {most:,} bytes", ((b"connection", b"close"),))


def _replayed(body: bytes, receive: Receive) -> Receive:
    is_sent = False

    async def replay() -> Message:
        nonlocal is_sent
        if is_sent:
            return await receive()
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
