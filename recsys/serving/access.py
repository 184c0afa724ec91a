"""What the server tells, line by line: written by a thread of its own, so that nobody waits for whoever reads it."""

import asyncio
import atexit
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache

FLUSH_SECONDS, LAST_SECONDS, MOST_LINES, STDERR = 0.2, 0.5, 20_000, 2


class LineWriter:
    """Lines that find no room are counted, and told as soon as there is some."""

    def __init__(self, descriptor: int = STDERR, *, most: int = MOST_LINES) -> None:
        self._descriptor = descriptor
        self._most = most
        self._lines: list[str] = []
        self._num_dropped = 0
        self._is_writing = False
        self._sources: list[Callable[[], None]] = []
        self._change = threading.Condition()
        threading.Thread(target=self._work, name="log", daemon=True).start()

    def put(self, lines: Sequence[str]) -> None:
        with self._change:
            room = self._most - len(self._lines)
            self._lines.extend(lines[:room])
            self._num_dropped += max(0, len(lines) - room)
            self._change.notify_all()

    def also_from(self, source: Callable[[], None]) -> None:
        """Called by `flush`: whoever keeps lines back puts them then."""
        self._sources.append(source)

    def flush(self, seconds: float = LAST_SECONDS) -> None:
        """Until all of it is written, but no longer than this."""
        for source in self._sources:
            source()
        with self._change:
            self._change.wait_for(lambda: not (self._lines or self._is_writing), seconds)

    def _work(self) -> None:
        while True:
            with self._change:
                self._is_writing = False
                self._change.notify_all()
                self._change.wait_for(lambda: self._lines)
                lines, self._lines, self._is_writing = self._lines, [], True
                if self._num_dropped:
                    lines.append(f"{moment()} {self._num_dropped} lines of the log found no room and are lost")
                self._num_dropped = 0
            self._write("".join(f"{line}\n" for line in lines).encode(errors="backslashreplace"))

    def _write(self, data: bytes) -> None:
        # not through sys.stderr: its lock, held by a thread that waits for a reader, would stop the process from ending
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                time.sleep(FLUSH_SECONDS)
            except OSError:  # whoever read it has gone for good
                return


class AccessLog:
    """One JSON object a request, some at a time: to hand over each at once would cost more than a lookup."""

    def __init__(self, writer: LineWriter | None = None) -> None:
        self._writer = writer or to_stderr()
        self._lines: list[str] = []
        self._writer.also_from(self.flush)

    def write(self, line: str) -> None:
        """A JSON object, which gets the time as its first field."""
        if not self._lines:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
        self._lines.append(f'{{"time":"{moment()}",{line[1:]}')

    def flush(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            self._writer.put(lines)


class LogLines(logging.Handler):
    """What is logged, by the same thread."""

    def emit(self, record: logging.LogRecord) -> None:
        to_stderr().put([f"{moment()} {self.format(record)}"])


def log_to_stderr() -> None:
    """Whatever is logged in this process, uvicorn's own warnings, too."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[LogLines()])
    logging.getLogger("faiss").setLevel(logging.WARNING)  # it tells of each library that it does not find


@cache
def to_stderr() -> LineWriter:
    """The process's one."""
    writer = LineWriter()
    atexit.register(writer.flush)
    return writer


def moment() -> str:
    """UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
