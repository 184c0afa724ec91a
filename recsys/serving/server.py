"""A process that serves: uvicorn around the application, and what signals do to it.

SIGTERM and SIGINT: what was accepted is answered, within `drain_seconds`, and the exit code is 0. SIGHUP: the bundle is
loaded again.
"""

import gc
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import torch
import uvicorn

from recsys.errors import ConfigError
from recsys.index.threads import set_num_threads
from recsys.serving.access import log_to_stderr
from recsys.serving.config import ServeConfig
from recsys.serving.connections import Connection, Limits
from recsys.serving.current import Current, tried_out
from recsys.serving.guard import App
from recsys.serving.http import create_app
from recsys.serving.listening import bound, url_of
from recsys.serving.stopping import Server
from recsys.serving.workers import Workers

BUNDLE, CONFIG, TOKEN, ADMIN = (f"RECSYS_{name}" for name in ("BUNDLE", "SERVE", "TOKEN", "ADMIN_TOKEN"))
IDLE_SECONDS, SWITCH_SECONDS = 75, 0.0005
log = logging.getLogger("recsys.serving")


def serve(bundle: Path, config: ServeConfig) -> None:
    """Until a signal says so. RECSYS_TOKEN, where it is set, is asked of all, RECSYS_ADMIN_TOKEN of who reloads."""
    log_to_stderr()
    _client_token()
    sockets = bound(config.host, config.port)
    url = url_of(sockets)
    if config.workers > 1:
        # workers are processes, which get both from their environment
        os.environ.update({BUNDLE: str(bundle), CONFIG: config.model_dump_json()})
        tried_out(bundle)  # what is wrong with it is told once, and before anybody starts
        log.info("serving on %s, documented at /docs, with %d processes", url, config.workers)
        Workers(_settings("recsys.serving.server:from_environment", config), sockets).run()
    else:
        server = Server(_settings(partial(application, bundle, config), config))
        server.when_started = partial(log.info, "serving on %s, documented at /docs", url)
        server.run(sockets)


def from_environment() -> App:
    """The application of one of several workers."""
    return application(Path(os.environ[BUNDLE]), ServeConfig.model_validate_json(os.environ[CONFIG]))


def application(bundle: Path, config: ServeConfig) -> App:
    """Its bundle is opened, tried out and warm before anybody is listened to."""
    take_one_thread()
    # while a batch is answered, health and the next requests wait for so long each time at most
    sys.setswitchinterval(SWITCH_SECONDS)
    current = Current(bundle, tell=log.warning)
    # what lives as long as the process is no garbage: a collection would look at all of it while everybody waits
    gc.collect()
    gc.freeze()
    executor = ThreadPoolExecutor(1, thread_name_prefix="answers", initializer=take_one_thread)
    return create_app(current, config, executor, token=_client_token(), admin=os.environ.get(ADMIN) or None)


def take_one_thread() -> None:
    """Of each library, for whatever is called on this thread: a worker is one core's work."""
    torch.set_num_threads(1)
    set_num_threads(1)


def _client_token() -> str | None:
    token = os.environ.get(TOKEN)
    if token is not None and not token.strip():
        raise ConfigError(f"{TOKEN} is set, but empty: give it a value, or unset it to answer everybody")
    return token


def _settings(make: "str | partial[App]", config: ServeConfig) -> uvicorn.Config:
    return uvicorn.Config(
        make,
        factory=True,
        host=config.host,
        port=config.port,
        workers=config.workers,
        http=partial(Connection, limits=Limits.of(config)),  # type: ignore[arg-type]
        ws="none",
        access_log=False,
        log_config=None,
        log_level="warning",
        timeout_graceful_shutdown=config.drain_seconds,
        timeout_keep_alive=IDLE_SECONDS,
        server_header=False,
    )


if __name__ == "__main__":
    serve(Path(sys.argv[1]), ServeConfig.model_validate_json(sys.argv[2]))
