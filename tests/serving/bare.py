"""A server of ours around an application that does next to nothing: `python -m tests.serving.bare PORT WORK DRAIN`."""

import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import uvicorn

from recsys.serving.access import log_to_stderr
from recsys.serving.connections import Connection, Limits
from recsys.serving.listening import bound, url_of
from recsys.serving.stopping import Server

MOST, HEADER_SECONDS, IDLE_SECONDS = 5, 0.6, 30
executor = ThreadPoolExecutor(1)


async def works(seconds: float, scope: Any, _: Any, send: Any) -> None:
    """As long as that, on a thread that nobody can stop."""
    if scope["path"] == "/work":
        await asyncio.get_running_loop().run_in_executor(executor, time.sleep, seconds)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


if __name__ == "__main__":
    log_to_stderr()
    sockets = bound("127.0.0.1", int(sys.argv[1]))
    config = uvicorn.Config(
        partial(works, float(sys.argv[2])),
        http=partial(Connection, limits=Limits(connections=MOST, header_seconds=HEADER_SECONDS)),
        interface="asgi3",
        lifespan="off",
        log_config=None,
        log_level="warning",
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=int(sys.argv[3]),
    )
    server = Server(config)
    server.when_started = lambda: print(url_of(sockets), file=sys.stderr, flush=True)
    server.run(sockets)
