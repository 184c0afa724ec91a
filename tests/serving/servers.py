"""A real server in a process of its own, as `recsys serve` starts it."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass
class Running:
    process: subprocess.Popen[str]
    port: int
    lines: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], Any]:
        """Status, headers, and the answer: JSON where it is JSON. Text and bytes are sent as they are."""
        data = body if body is None or isinstance(body, str | bytes) else json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, data, dict(headers or {}))
            answer = connection.getresponse()
            told = answer.read()
            kind = answer.headers.get("content-type", "")
            return answer.status, answer.headers, json.loads(told) if "json" in kind else told.decode()
        finally:
            connection.close()

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def read(self) -> None:
        """All of its log, as it comes: a full pipe would stop the server."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)

    def wait_for(self, pattern: str) -> str:
        """The first line of its log that has this in it."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            for line in list(self.lines):
                if re.search(pattern, line):
                    return line
            time.sleep(0.02)
        raise AssertionError(f"no {pattern!r} in the server's log: {''.join(self.lines)}")


@contextmanager
def running(bundle: Path, *options: str, **environment: str) -> Iterator[Running]:
    command = [sys.executable, "-m", "pipelines.command", "serve", str(bundle), "--port", "0", *options]
    with subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as process:
        server = Running(process, 0, [])
        reader = threading.Thread(target=server.read)
        reader.start()
        try:
            line = server.wait_for("serving on http://")
            server.port = int(line.split("http://127.0.0.1:")[1].split(",")[0])
            yield server
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(timeout=30)
            reader.join(timeout=30)
