"""What everybody else notices while a server is asked for more than it can do: whether its health is told in time."""

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
            except OSError:
                self._failed += 1


@contextmanager
def overloaded(port: int) -> Iterator[Probe]:
    """Beside clients that begin a request and never end it; whoever is inside sends the rest of the load."""
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(SLOW_CLIENTS)]
    probe = Probe(port)
    try:
        for one in slow:
            one.sendall(SLOW_REQUEST)
        yield probe
    finally:
        probe.stop()
        for one in slow:
            one.close()
