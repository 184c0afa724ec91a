"""The application without a server around it: what ASGI hands in, and what comes out."""

import asyncio
import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote

from recsys.serving.access import AccessLog, LineWriter
from recsys.serving.config import ServeConfig
from recsys.serving.current import Current
from recsys.serving.guard import App
from recsys.serving.http import create_app


@dataclass(frozen=True)
class Told:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@cache
def nowhere() -> LineWriter:
    return LineWriter(os.open(os.devnull, os.O_WRONLY))


class Application:
    """One bundle's."""

    def __init__(self, bundle: Path, *, token: str | None = None, admin: str | None = None, **config: Any) -> None:
        self.current = Current(bundle, tell=lambda _: None)
        self._executor = ThreadPoolExecutor(1)
        with patch("recsys.serving.http.AccessLog", lambda: AccessLog(nowhere())):
            self.app = create_app(self.current, ServeConfig(**config), self._executor, token=token, admin=admin)

    def ask(self, method: str, target: str, body: Any = None, **headers: str) -> Told:
        return asyncio.run(ask(self.app, method, target, body, **headers))


async def ask(app: App, method: str, target: str, body: Any = None, **headers: str) -> Told:
    """`target` is percent-encoded; a body that is no bytes is written as JSON."""
    path, _, query = target.partition("?")
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"x"), *((name.encode(), value.encode()) for name, value in headers.items())],
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": data, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    with suppress(ZeroDivisionError):  # a test's own fault, which a server writes down
        await app(scope, receive, send)
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Told(sent[0]["status"], told, b"".join(message.get("body", b"") for message in sent[1:]))
