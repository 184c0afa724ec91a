"""A process that serves: uvicorn around the application, and what signals do to it.

SIGTERM and SIGINT: what was accepted is answered, within `drain_seconds`, and the exit code is 0. SIGHUP: the bundle is
loaded again.
"""

import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
import uvicorn
from uvicorn.supervisors import Multiprocess

from recsys.bundle.opened import open_bundle
from recsys.index.threads import set_num_threads
from recsys.serving.config import ServeConfig
from recsys.serving.current import Current
from recsys.serving.guard import App
from recsys.serving.http import create_app

BUNDLE, CONFIG, TOKEN, ADMIN = (f"RECSYS_{name}" for name in ("BUNDLE", "SERVE", "TOKEN", "ADMIN_TOKEN"))
IDLE_SECONDS, STARTUP_SECONDS, SWITCH_SECONDS = 75, 120, 0.0005
log = logging.getLogger("recsys.serving")


def serve(bundle: Path, config: ServeConfig) -> None:
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
        "timeout_worker_healthcheck": STARTUP_SECONDS,
        "server_header": False,
        "ws": "none",
    }
    application = f"{__name__}:from_environment"
    if config.workers > 1:
        open_bundle(bundle)  # what is wrong with it is told once
        _serve_together(uvicorn.Config(application, workers=config.workers, **settings))  # type: ignore[arg-type]
    else:
        Server(uvicorn.Config(application, **settings)).run()  # type: ignore[arg-type]


def _serve_together(config: uvicorn.Config) -> None:
    """SIGHUP replaces the processes one by one, each when its successor has tried out the bundle and listens."""
    socket = config.bind_socket()
    host, port = socket.getsockname()[:2]
    log.info("serving on http://%s:%s, documented at /docs, with %d processes", host, port, config.workers)
    Multiprocess(config, sockets=[socket]).run()


def from_environment() -> App:
    """The application of one worker; the bundle is opened, tried out and warm before it listens."""
    take_one_thread()
    # while a batch is answered, health and the next requests wait for so long each time at most
    sys.setswitchinterval(SWITCH_SECONDS)
    current = Current(Path(os.environ[BUNDLE]), tell=log.warning)
    config = ServeConfig.model_validate_json(os.environ[CONFIG])
    # what lives as long as the process is no garbage: a collection would look at all of it while everybody waits
    gc.collect()
    gc.freeze()
    executor = ThreadPoolExecutor(1, thread_name_prefix="answers", initializer=take_one_thread)
    return create_app(current, config, executor, token=os.environ.get(TOKEN), admin=os.environ.get(ADMIN))


def take_one_thread() -> None:
    """Of each library, for whatever is called on this thread: a worker is one core's work."""
    torch.set_num_threads(1)
    set_num_threads(1)


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
