"""What everybody else notices while a server is asked for more than it can do: whether its health is told in time."""

import http.client
import select
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from recsys.section import Section

SLOW_CLIENTS, EVERY_SECONDS = 200, 0.05
SLOW_REQUEST = b"POST /v1/recommendations HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{"


class Health(Section):
    """Of requests to /healthz, each over a connection of its own."""

    asked: int
    failed: int
    worst_ms: float

    def line(self) -> str:
        told = f"{self.asked:,} times asked, {self.worst_ms:.0f} ms at worst"
        return told + (f"; {self.failed:,} FAILED" if self.failed else "")


class Probe:
    """Asks on a thread of its own."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/healthz"
        self._ends = threading.Event()
        self._milliseconds: list[float] = []
        self._failed = 0
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def stop(self) -> None:
        self._ends.set()
        self._thread.join()

    def told(self) -> Health:
        worst = max(self._milliseconds, default=float("nan"))
        return Health(asked=len(self._milliseconds) + self._failed, failed=self._failed, worst_ms=worst)

    def _ask(self) -> None:
        while not self._ends.wait(EVERY_SECONDS):
            began = time.perf_counter()
            try:
                urllib.request.urlopen(self._url, timeout=5).read()
                self._milliseconds.append(1e3 * (time.perf_counter() - began))
            except (OSError, http.client.HTTPException):
                self._failed += 1


class SlowClients:
    """Begin a request and never end it; one that the server closes begins another. On a thread of their own."""

    def __init__(self, port: int, number: int = SLOW_CLIENTS) -> None:
        self._port = port
        self._ends = threading.Event()
        self.begun = 0
        self._open = [self._begin() for _ in range(number)]
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> None:
        self._ends.set()
        self._thread.join()
        for one in self._open:
            one.close()

    def _begin(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self._port), timeout=5)
        made.sendall(SLOW_REQUEST)
        self.begun += 1
        return made

    def _watch(self) -> None:
        while not self._ends.is_set():
            answered, _, _ = select.select(self._open, [], [], EVERY_SECONDS)
            for one in answered:
                one.close()
                self._open.remove(one)
            try:
                self._open += [self._begin() for _ in answered]
            except OSError:  # the server has gone, and who measures it will say so
                return


@contextmanager
def overloaded(port: int) -> Iterator[Probe]:
    """Beside clients that begin a request and never end it; whoever is inside sends the rest of the load."""
    slow = SlowClients(port)
    probe = Probe(port)
    try:
        yield probe
    finally:
        probe.stop()
        slow.stop()
