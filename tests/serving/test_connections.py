"""Connections that say nothing end, there are only so many, and the end of the process is kept to the second."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.serving.bare import HEADER_SECONDS, MOST
from tests.serving.servers import ROOT, Running

GET = b"GET /%s HTTP/1.1\r\nhost: x\r\n\r\n"


@contextmanager
def bare(work: float = 0, drain: int = 5) -> Iterator[Running]:
    command = [sys.executable, "-m", "tests.serving.bare", "0", str(work), str(drain)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        server = Running(process, 0, [])
        reader = threading.Thread(target=server.read)
        reader.start()
        try:
            server.port = int(server.wait_for("http://").rsplit(":", 1)[1])
            yield server
        finally:
            process.kill()
            reader.join()


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with bare() as started:
        yield started


def connect(server: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


def is_answered(connection: socket.socket) -> bool:
    found = b""
    while not found.endswith(b"ok") and (part := connection.recv(4096)):
        found += part
    return found.startswith(b"HTTP/1.1 200")


def read_to_the_end(connection: socket.socket) -> bytes:
    found = b""
    while part := connection.recv(1 << 16):
        found += part
    return found


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"GET / HTTP/1.1\r\nhost:"])
@pytest.mark.parametrize("is_first", [True, False])
def test_headers_that_do_not_come_end_the_connection(server: Running, sent: bytes, is_first: bool) -> None:
    if not (sent or is_first):
        pytest.skip("that is a connection kept alive, which may be idle")
    with connect(server) as connection:
        if not is_first:
            connection.sendall(GET % b"")
            assert is_answered(connection)
        began = time.monotonic()
        connection.sendall(sent)
        assert read_to_the_end(connection) == b""
        assert HEADER_SECONDS - 0.1 < time.monotonic() - began < HEADER_SECONDS + 5


def test_a_connection_kept_alive_may_be_idle(server: Running) -> None:
    with connect(server) as connection:
        for _ in range(2):
            connection.sendall(GET % b"")
            assert is_answered(connection)
            time.sleep(2 * HEADER_SECONDS)
        connection.sendall(GET % b"")
        assert is_answered(connection)


def test_beyond_the_limit_new_connections_are_closed_and_those_that_are_open_answered(server: Running) -> None:
    kept = [connect(server) for _ in range(MOST)]
    for connection in kept:
        connection.sendall(GET % b"")
        assert is_answered(connection)
    with connect(server) as one_more:
        assert read_to_the_end(one_more) == b""
    for connection in kept:
        connection.sendall(GET % b"")
        assert is_answered(connection)
        connection.close()
    server.wait_for(f"{MOST} connections are open, as many as may be; 1 more were closed at once")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_work_beyond_the_drain_is_told_503_and_the_process_ends(number: int) -> None:
    with bare(work=30, drain=1) as server, connect(server) as connection:
        connection.sendall(GET % b"work")
        time.sleep(0.3)
        began = time.monotonic()
        server.process.send_signal(number)
        head, _, body = read_to_the_end(connection).partition(b"\r\n\r\n")
        assert server.process.wait(timeout=20) == 0
        assert 0.9 < time.monotonic() - began < 2
        assert head.startswith(b"HTTP/1.1 503 ")
        told = json.loads(body)
        assert (told["status"], told["title"]) == (503, "Stopping")
    assert not any("Traceback" in line for line in server.lines), server.lines
    assert any("before 1 accepted requests were answered" in line for line in server.lines)


def test_work_within_the_drain_is_answered() -> None:
    with bare(work=1, drain=10) as server, connect(server) as connection, connect(server) as late:
        connection.sendall(GET % b"work")
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        late.sendall(GET % b"")
        assert read_to_the_end(late).endswith(b"ok"), "its connection stood before"
        assert read_to_the_end(connection).endswith(b"ok")
        assert server.process.wait(timeout=20) == 0
