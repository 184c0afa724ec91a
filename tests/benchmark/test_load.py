"""A load goes on where a server closes connections, and slow clients stay as many as they are."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from recsys.benchmark.load import Plan, drive, get
from recsys.benchmark.overload import Probe, SlowClients

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """One connection after the other, each closed when it is answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        server.settimeout(0.05)
        is_over = threading.Event()

        def serve() -> None:
            while not is_over.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        is_over.set()
        thread.join()


def once(connection: socket.socket) -> None:
    connection.settimeout(0.2)
    try:
        if connection.recv(4096):
            connection.sendall(ANSWER)
    except OSError:
        return


def nothing(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"nonsense\r\n\r\n")


def test_a_closed_connection_is_opened_again() -> None:
    with serving(once) as port:
        plan = Plan(port=port, requests=(get("/"),), connections=1, seconds=0.5)
        load = asyncio.run(asyncio.wait_for(drive(plan), timeout=20))
    assert load.answered > 5
    assert load.refused == 0


def test_one_that_is_never_answered_ends_too() -> None:
    with serving(lambda _: None) as port:
        plan = Plan(port=port, requests=(get("/"),), connections=1, seconds=0.3, rate=50)
        load = asyncio.run(asyncio.wait_for(drive(plan), timeout=20))
    assert (load.answered, load.failed > 1) == (0, True)


def test_a_slow_client_that_is_closed_begins_again() -> None:
    with serving(once) as port:
        slow = SlowClients(port, number=3)
        deadline = time.monotonic() + 20
        while slow.begun < 12 and time.monotonic() < deadline:
            time.sleep(0.02)
        slow.stop()
    assert slow.begun >= 12


def test_an_answer_that_is_none_is_a_failure_of_health() -> None:
    with serving(nothing) as port:
        probe = Probe(port)
        deadline = time.monotonic() + 20
        while probe.told().failed < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        probe.stop()
    assert probe.told().failed >= 3
