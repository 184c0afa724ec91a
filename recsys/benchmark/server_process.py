"""A server in a process of its own."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass

from recsys.errors import ConfigError
from recsys.serving.config import ServeConfig

READY_SECONDS = 120


@dataclass(frozen=True)
class Running:
    pid: int
    port: int


@contextmanager
def running(module: str, bundle: str = "", config: ServeConfig | None = None) -> Iterator[Running]:
    port = free_port()
    told = [] if config is None else [bundle, config.model_copy(update={"port": port}).model_dump_json()]
    command = [sys.executable, "-m", module, *(told or [str(port)])]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port, process)
            yield Running(process.pid, port)
        finally:
            process.terminate()


def free_port() -> int:
    with closing(socket.socket()) as holder:
        holder.bind(("127.0.0.1", 0))
        return int(holder.getsockname()[1])


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise ConfigError("the server did not start: try `recsys serve` on the bundle, which says why")
