"""A process that serves: uvicorn around the application, and what signals do to it.

SIGTERM and SIGINT: what was accepted is answered, within `drain_seconds`, and the exit code is 0. SIGHUP: the bundle is
loaded again.
"""

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
import uvicorn

from recsys.serving.config import ServeConfig
from recsys.serving.current import Current
from recsys.serving.guard import App
from recsys.serving.http import create_app

BUNDLE, CONFIG, TOKEN, ADMIN = (f"RECSYS_{name}" for name in ("BUNDLE", "SERVE", "TOKEN", "ADMIN_TOKEN"))
IDLE_SECONDS = 75
log = logging.getLogger("recsys.serving")


def serve(bundle: Path, config: ServeConfig, *, workers: int = 1) -> None:
    """Until a signal says so. RECSYS_TOKEN, where it is set, is asked of all, RECSYS_ADMIN_TOKEN of who reloads."""
    # workers are processes, which get both from their environment
    os.environ.update({BUNDLE: str(bundle), CONFIG: config.model_dump_json()})
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    settings = {
        "factory": True,
        "host": config.host,
        "port": config.port,
        "access_log": False,
        "log_level": "warning",
        "timeout_graceful_shutdown": config.drain_seconds,
        "timeout_keep_alive": IDLE_SECONDS,
        "server_header": False,
        "ws": "none",
    }
    application = f"{__name__}:from_environment"
    if workers > 1:
        uvicorn.run(application, workers=workers, **settings)  # type: ignore[arg-type]
    else:
        Server(uvicorn.Config(application, **settings)).run()  # type: ignore[arg-type]


def from_environment() -> App:
    """The application of one worker; the bundle is opened, tried out and warm before it listens."""
    torch.set_num_threads(1)
    current = Current(Path(os.environ[BUNDLE]), tell=log.warning)
    config = ServeConfig.model_validate_json(os.environ[CONFIG])
    return create_app(current, config, token=os.environ.get(TOKEN), admin=os.environ.get(ADMIN))


class Server(uvicorn.Server):
    """uvicorn's, but to be told to stop is no failure."""

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started and self.servers:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            log.info("serving on http://%s:%s, documented at /docs", host, port)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.handle_exit)
        yield


if __name__ == "__main__":
    serve(Path(sys.argv[1]), ServeConfig.model_validate_json(sys.argv[2]))
