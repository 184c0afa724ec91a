"""Requests to a server over kept connections, from a process of its own: python -m recsys.benchmark.load PLAN

Closed: each connection asks again when it is answered. Open: requests are due at a rate, whether or not the ones before
are answered, and a latency counts from when its request was due.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from recsys.section import Section

BUSY, RETRY_SECONDS = 503, 0.01


class Plan(Section):
    port: int
    requests: tuple[str, ...]
    """Whole HTTP requests, asked in turn."""
    connections: int
    seconds: float
    rate: float = 0.0
    """Requests a second; 0: closed."""
    since_sent: bool = False
    """Whether a latency counts from when its request was sent, for a load that may itself come late."""


class Load(Section):
    answered: int
    refused: int
    """503, as a server says that is busy."""
    failed: int
    """Every other answer than 200, and lost connections."""
    seconds: float
    milliseconds: tuple[float, ...]

    @property
    def rate(self) -> float:
        return self.answered / self.seconds


@dataclass
class Counted:
    answered: int = 0
    refused: int = 0
    failed: int = 0
    milliseconds: list[float] = field(default_factory=list)


class Connection(asyncio.Protocol):
    """One request at a time; `answer` is done when all of its answer has come."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._data = b""
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def ask(self, request: bytes) -> "asyncio.Future[int]":
        assert self._transport is not None
        self._data, self._answer = b"", asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0 or self._answer is None or self._answer.done():
            return
        head = self._data[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._data) >= end + 4 + length:
            self._answer.set_result(int(self._data[9:12]))

    def connection_lost(self, _: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(0)


class Client:
    """Asks over one connection, and over another once the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = Connection()

    async def connect(self) -> None:
        _, self._connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self._port)

    async def ask(self, request: bytes) -> int:
        """The answer's status; 0 where there is none."""
        if not self._connection.is_open:
            try:
                await self.connect()
            except OSError:
                await asyncio.sleep(RETRY_SECONDS)
                return 0
        return await self._connection.ask(request)

    def close(self) -> None:
        self._connection.close()


async def drive(plan: Plan) -> Load:
    requests = [request.encode() for request in plan.requests]
    counted, clients = Counted(), [Client(plan.port) for _ in range(plan.connections)]
    for client in clients:
        await client.connect()
    began = time.perf_counter()
    each = _open if plan.rate else _closed
    work = [each(plan, number, client, requests, began, counted) for number, client in enumerate(clients)]
    await asyncio.gather(*work)
    seconds = time.perf_counter() - began
    for client in clients:
        client.close()
    return Load(
        answered=counted.answered,
        refused=counted.refused,
        failed=counted.failed,
        seconds=seconds,
        milliseconds=tuple(counted.milliseconds),
    )


async def _closed(
    plan: Plan, number: int, client: Client, requests: Sequence[bytes], began: float, counted: Counted
) -> None:
    turn = number
    while time.perf_counter() < began + plan.seconds:
        await _ask(client, requests[turn % len(requests)], time.perf_counter(), counted)
        turn += plan.connections


async def _open(
    plan: Plan, number: int, client: Client, requests: Sequence[bytes], began: float, counted: Counted
) -> None:
    turn = number
    while (due := began + turn / plan.rate) < began + plan.seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        since = time.perf_counter() if plan.since_sent else due
        await _ask(client, requests[turn % len(requests)], since, counted)
        turn += plan.connections


async def _ask(client: Client, request: bytes, since: float, counted: Counted) -> None:
    status = await client.ask(request)
    if status == 200:
        counted.answered += 1
        counted.milliseconds.append(1e3 * (time.perf_counter() - since))
    elif status == BUSY:
        counted.refused += 1
    else:
        counted.failed += 1


def get(path: str) -> str:
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"


def post(path: str, body: object) -> str:
    data = json.dumps(body)
    return f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(data.encode())}\r\n\r\n{data}"


if __name__ == "__main__":
    found = asyncio.run(drive(Plan.model_validate_json(sys.stdin.buffer.read())))
    sys.stdout.write(found.model_dump_json())
