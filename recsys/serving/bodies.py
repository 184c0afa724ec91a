"""Requests' bodies, read whole: how large each may be, how long it may take, and how much is held of all."""

import asyncio
import random

from recsys.serving.asgi import Receive, Scope
from recsys.serving.config import ServeConfig
from recsys.serving.refusal import Refusal, busy

# Somewhat too much is read to its end and forgotten: whoever is cut off while sending sees no answer.
PATIENCE = 16
# Bodies of the largest size that may be coming at a time, and bytes of each that do not count: slow clients with large
# bodies keep nobody from sending a usual one.
MOST_LARGE, FREE = 16, 1 << 16
# So much longer some may take than others: clients that came at once are not all told at once, while others wait.
SPREAD = 0.2


class Bodies:
    def __init__(self, config: ServeConfig) -> None:
        self._most = config.body_bytes
        self._seconds = config.body_seconds
        self._held = 0

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """Refusal where it is too large, too slow, or more than can be held now."""
        if scope["method"] in ("GET", "HEAD"):
            return b""
        body = bytearray()
        try:
            async with asyncio.timeout(self._seconds * (1 + SPREAD * random.random())):
                await self._fill(body, scope, receive)
        except TimeoutError:
            told = f"a body must have come within {self._seconds:g} seconds"
            raise Refusal(408, "Too slow", told, ((b"connection", b"close"),)) from None
        finally:
            self._held -= _counted(len(body))
        return bytes(body)

    async def _fill(self, body: bytearray, scope: Scope, receive: Receive) -> None:
        read = PATIENCE * self._most
        length = dict(scope["headers"]).get(b"content-length", b"0")
        size, more = int(length) if length.isdigit() and int(length) > read else 0, True
        while more and size <= read:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refusal(400, "Gone", "the client went away")
            part, more = message.get("body", b""), message.get("more_body", False)
            size += len(part)
            if size <= self._most:
                self._hold(body, part)
        if size > self._most:
            told = f"a body has at most {self._most:,} bytes"
            raise Refusal(413, "Too large", told, ((b"connection", b"close"),))

    def _hold(self, body: bytearray, part: bytes) -> None:
        more = _counted(len(body) + len(part)) - _counted(len(body))
        if self._held + more > MOST_LARGE * self._most:
            raise busy("as many large bodies as may be are being read")
        self._held += more
        body += part


def _counted(size: int) -> int:
    return max(0, size - FREE)
