"""What clients send slowly, and do not read at all, is held for a while and up to a size."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from recsys.serving.bodies import FREE, MOST_LARGE, SPREAD, Bodies
from recsys.serving.config import ServeConfig
from recsys.serving.refusal import Refusal
from recsys.serving.unread import cut_if_unread

SCOPE: dict[str, Any] = {"method": "POST", "headers": []}
LARGE = 4 * FREE


class Sender:
    """A body that comes as it is told to."""

    def __init__(self) -> None:
        self._parts: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def send(self, size: int, *, more: bool) -> None:
        self._parts.put_nowait({"type": "http.request", "body": b"x" * size, "more_body": more})

    async def __call__(self) -> dict[str, Any]:
        return await self._parts.get()


async def reading(bodies: Bodies, size: int) -> tuple[Sender, "asyncio.Task[bytes]"]:
    """One of which so much has come."""
    sender = Sender()
    sender.send(size, more=True)
    task = asyncio.create_task(bodies.read(SCOPE, sender))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return sender, task


def test_no_more_is_held_than_so_many_large_bodies_and_usual_ones_come_through() -> None:
    async def drive() -> None:
        bodies = Bodies(ServeConfig(body_bytes=LARGE))
        slow = [await reading(bodies, LARGE - 1) for _ in range(10 * MOST_LARGE)]
        refused = [task for _, task in slow if task.done()]
        held = [(sender, task) for sender, task in slow if not task.done()]
        assert MOST_LARGE <= len(held) <= MOST_LARGE * LARGE / (LARGE - FREE - 1)
        for task in refused:
            told = task.exception()
            assert isinstance(told, Refusal) and told.status == 503
        sender, usual = await reading(bodies, 1000)
        sender.send(1000, more=False)
        assert len(await usual) == 2000
        for sender, task in held:
            sender.send(1, more=False)
            assert len(await task) == LARGE
        sender, task = await reading(bodies, LARGE - 1)
        sender.send(1, more=False)
        assert len(await task) == LARGE

    asyncio.run(drive())


def test_what_was_not_finished_is_held_no_longer() -> None:
    async def drive() -> None:
        bodies = Bodies(ServeConfig(body_bytes=LARGE, body_seconds=0.02))
        for _ in range(3):
            tasks = [(await reading(bodies, LARGE - 1))[1] for _ in range(MOST_LARGE)]
            told = await asyncio.gather(*tasks, return_exceptions=True)
            assert {one.status for one in told if isinstance(one, Refusal)} == {408}

    asyncio.run(drive())


def test_clients_that_came_at_once_and_are_too_slow_are_told_so_one_after_the_other() -> None:
    async def drive() -> None:
        seconds, clock = 0.2, asyncio.get_running_loop().time
        bodies, began, ended = Bodies(ServeConfig(body_seconds=seconds)), clock(), []
        tasks = [(await reading(bodies, 1))[1] for _ in range(30)]
        for task in tasks:
            task.add_done_callback(lambda _: ended.append(clock() - began))
        await asyncio.gather(*tasks, return_exceptions=True)
        assert min(ended) >= seconds
        assert max(ended) - min(ended) > seconds * SPREAD / 2

    asyncio.run(drive())


class Cycle:
    """As uvicorn sends: by a method of something that has the transport."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self.transport = transport

    async def send(self, message: Any) -> None:
        self.transport.write(message["body"])


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Cycle, socket.socket]]:
    made: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(lambda _, writer: made.set_result(writer), "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname()) as client:
        client.setblocking(False)
        writer = await made
        try:
            yield Cycle(writer.transport), client
        finally:
            writer.transport.abort()
            server.close()


@pytest.mark.parametrize("is_read", [False, True])
def test_who_takes_nothing_of_an_answer_is_cut_off(is_read: bool) -> None:
    async def drive() -> None:
        async with connected() as (cycle, client):
            await cycle.send({"body": b"x" * 30_000_000})
            assert cycle.transport.get_write_buffer_size() > 0
            cut_if_unread(cycle.send, 0.1)
            for _ in range(30):
                await asyncio.sleep(0.01)
                with suppress(BlockingIOError):
                    client.recv((1 << 21) * is_read)
            is_cut = cycle.transport.is_closing()
        assert is_cut is not is_read

    asyncio.run(drive())


def test_of_another_server_nothing_is_cut() -> None:
    async def send(_: Any) -> None: ...

    cut_if_unread(send, 0.0)
