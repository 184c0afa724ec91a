"""Slow, greedy and strange clients: they are refused, nobody else notices, and what was accepted is answered."""

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from recsys.serving.config import ServeConfig
from recsys.serving.guard import Guard
from recsys.serving.metrics import Metrics
from tests.serving.servers import Running, running


async def exchange(
    guard: Guard,
    messages: list[dict[str, Any]],
    *,
    path: str = "/v1/similar",
    headers: Any = (),
    sent: list[Any] | None = None,
) -> tuple[int, dict[str, Any]]:
    """What an ASGI server would hand in; after the last message nothing comes any more."""
    sent = [] if sent is None else sent
    waiting = iter(messages)

    async def receive() -> dict[str, Any]:
        for message in waiting:
            return message
        await asyncio.sleep(3600)
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    await guard({"type": "http", "method": "POST", "path": path, "headers": list(headers)}, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


async def echo_length(_: Any, receive: Any, send: Any) -> None:
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps({"length": len(body)}).encode()})


def part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_comes_whole_to_whoever_answers() -> None:
    guard = Guard(echo_length, ServeConfig(), Metrics())
    found = asyncio.run(exchange(guard, [part(b"ab", more=True), part(b"c", more=False)]))
    assert found == (200, {"length": 3})


def test_a_body_that_does_not_come_in_time_is_408() -> None:
    guard = Guard(echo_length, ServeConfig(body_seconds=0.05), Metrics())
    status, told = asyncio.run(exchange(guard, [part(b"ab", more=True)]))
    assert (status, told["detail"]) == (408, "a body must have come within 0.05 seconds")


@pytest.mark.parametrize(
    ("messages", "headers"),
    [([part(b"x" * 6, more=True), part(b"x" * 6, more=False)], ()), ([], [(b"content-length", b"161")])],
)
def test_a_body_that_is_too_large_is_413_however_it_comes(messages: Any, headers: Any) -> None:
    guard = Guard(echo_length, ServeConfig(body_bytes=10), Metrics())
    status, told = asyncio.run(exchange(guard, messages, headers=headers))
    assert (status, told["title"]) == (413, "Too large")


def test_slow_bodies_take_nobodys_place() -> None:
    async def drive() -> None:
        guard = Guard(echo_length, ServeConfig(in_flight=1, body_seconds=5), Metrics())
        slow = [asyncio.create_task(exchange(guard, [part(b"a", more=True)])) for _ in range(5)]
        await asyncio.sleep(0.01)
        assert await exchange(guard, [part(b"abc", more=False)]) == (200, {"length": 3})
        for task in slow:
            task.cancel()

    asyncio.run(drive())


def test_beyond_the_limit_it_is_503_but_health_is_answered() -> None:
    async def drive() -> None:
        release = asyncio.Event()

        async def waits(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] != "/healthz":
                await release.wait()
            await echo_length(scope, receive, send)

        guard, body = Guard(waits, ServeConfig(in_flight=2), Metrics()), [part(b"abc", more=False)]
        accepted = [asyncio.create_task(exchange(guard, list(body))) for _ in range(2)]
        await asyncio.sleep(0.01)
        status, told = await exchange(guard, list(body))
        assert (status, told["title"]) == (503, "Busy")
        assert (await exchange(guard, list(body), path="/healthz"))[0] == 200
        release.set()
        assert [found[0] for found in await asyncio.gather(*accepted)] == [200, 200]
        assert (await exchange(guard, list(body)))[0] == 200

    asyncio.run(drive())


def test_a_fault_of_ours_is_500_without_a_word_of_it(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("a secret")

    sent: list[Any] = []
    with pytest.raises(RuntimeError, match="a secret"):
        asyncio.run(exchange(Guard(broken, ServeConfig(), Metrics()), [part(b"", more=False)], sent=sent))
    assert sent[0]["status"] == 500
    told = json.loads(sent[1]["body"])
    assert "secret" not in json.dumps(told)
    assert told["request_id"] in caplog.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((), 401),
        ([(b"authorization", b"Bearer wrong")], 401),
        ([(b"authorization", b"Bearer right")], 200),
        ([(b"authorization", "Bearer rightä".encode())], 401),
    ],
)
def test_a_token_is_asked_for_where_there_is_one(headers: Any, status: int) -> None:
    guard = Guard(echo_length, ServeConfig(), Metrics(), token="right")
    assert asyncio.run(exchange(guard, [part(b"", more=False)], headers=headers))[0] == status
    assert asyncio.run(exchange(guard, [part(b"", more=False)], path="/readyz"))[0] == 200


@pytest.fixture
def own(bundle: Path) -> Iterator[Running]:
    with running(bundle, RECSYS_TOKEN="word") as started:
        yield started


def test_sigterm_while_requests_run_answers_them_and_exits_0(own: Running) -> None:
    """Whoever was let in is answered: only at the door is anybody turned away."""
    found: list[object] = []

    def ask() -> None:
        body = json.dumps({"history": ["i050"]})
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", own.port, timeout=20)
            with closing(connection):
                try:
                    connection.connect()
                except ConnectionError:
                    return
                try:
                    connection.request("POST", "/v1/recommendations", body, {"authorization": "Bearer word"})
                    found.append(connection.getresponse().status)
                except OSError as error:
                    found.append(error)
                    return

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    while len(found) < 20:
        time.sleep(0.01)
    assert own.stop() == 0
    for thread in threads:
        thread.join(timeout=20)
    assert set(found) == {200}


def test_many_slow_clients_leave_health_alone(server: Running) -> None:
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
    try:
        for one in slow:
            one.sendall(b"POST /v1/similar HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        for _ in range(5):
            began = time.perf_counter()
            assert server.ask("GET", "/healthz")[0] == 200
            assert server.ask("POST", "/v1/similar", {"items": ["i050"]})[0] == 200
            assert time.perf_counter() - began < 2
    finally:
        for one in slow:
            one.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\xff\xfe nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /v1/similar HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        b"POST /v1/similar HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZZZ\r\n",
        b"GET /v1/items/%ff%00/similar HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /v1/items/a/similar?k=%00%ff HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
)
def test_raw_nonsense_is_no_fault_of_the_server(server: Running, raw: bytes) -> None:
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=10)) as client:
        client.sendall(raw)
        told = client.recv(4096)
    assert told == b"" or told.startswith((b"HTTP/1.1 2", b"HTTP/1.1 4")), told[:80]
    assert server.ask("GET", "/healthz")[0] == 200
