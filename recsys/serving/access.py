"""One line of JSON a request, written some at a time: to write each at once would cost more than a lookup."""

import asyncio
import atexit
import sys
from typing import TextIO

FLUSH_SECONDS = 0.2


class AccessLog:
    """Lines appear within a fifth of a second, and at the end of the process."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._lines: list[str] = []
        atexit.register(self.flush)

    def write(self, line: str) -> None:
        if not self._lines:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
        self._lines.append(line)

    def flush(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            self._stream.write("\n".join(lines) + "\n")
            self._stream.flush()
