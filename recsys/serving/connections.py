"""A client's connection as uvicorn has it, within limits: how many there may be, and how long headers may take."""

import logging
import resource
import secrets
import time
from asyncio import TimerHandle, Transport
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from recsys.serving.config import ServeConfig
from recsys.serving.refusal import Refusal

log = logging.getLogger("recsys.serving")
OWN_FILES, TELL_SECONDS, LAST_SECONDS = 64, 60.0, 0.5


class Limits:
    """Of one process."""

    def __init__(self, *, connections: int, header_seconds: float) -> None:
        self.connections = connections
        self.header_seconds = header_seconds
        self._num_refused = 0
        self._told = -TELL_SECONDS

    @classmethod
    def of(cls, config: ServeConfig) -> "Limits":
        """Below the number of files that the process may open, some of which are its own."""
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        most = config.connections if files == resource.RLIM_INFINITY else min(config.connections, files - OWN_FILES)
        return cls(connections=max(1, most), header_seconds=config.header_seconds)

    def refused(self) -> None:
        """Told the log once a minute at most."""
        self._num_refused += 1
        if time.monotonic() - self._told >= TELL_SECONDS:
            self._told = time.monotonic()
            log.warning(
                "serve: %d connections are open, as many as may be; %d more were closed at once",
                self.connections,
                self._num_refused,
            )
            self._num_refused = 0


class Connection(HttpToolsProtocol):
    """Closed where the headers of a request are not whole in time; kept alive between requests as uvicorn does."""

    def __init__(self, *arguments: Any, limits: Limits, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits = limits
        self._deadline: TimerHandle | None = None
        self._is_last = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections:
            self._limits.refused()
            transport.close()
        else:
            self._expect_headers(self._limits.header_seconds)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_last and self.cycle is not None:
            self.cycle.keep_alive = False
        if self._deadline is None and self.timeout_keep_alive_task is None and self._is_idle:
            self._expect_headers(self._limits.header_seconds)

    def on_headers_complete(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The first request of a connection that was accepted may be on its way."""
        if self.cycle is not None:
            super().shutdown()
            return
        self._is_last = True
        if self._deadline is not None:
            self._deadline.cancel()
        self._expect_headers(LAST_SECONDS)

    def cut_off(self) -> bool:
        """Ends it; whether a request was still to be answered, whose client is then told so."""
        is_waiting = not self._is_idle
        if self.cycle is not None:
            if is_waiting and not (self.cycle.response_started or self.pipeline):
                self.transport.write(_stopping())
            self.cycle.disconnected = True
        self.transport.close()
        return is_waiting

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _expect_headers(self, seconds: float) -> None:
        self._deadline = self.loop.call_later(seconds, self.timeout_keep_alive_handler)


def _stopping() -> bytes:
    request = secrets.token_hex(8)
    body = Refusal(503, "Stopping", "the server stops before it could answer: ask again").problem(request)
    headers = (
        "HTTP/1.1 503 Service Unavailable",
        "content-type: application/problem+json",
        f"content-length: {len(body)}",
        f"x-request-id: {request}",
        "retry-after: 1",
        "connection: close",
    )
    return "\r\n".join([*headers, "", ""]).encode() + body
