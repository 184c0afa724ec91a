"""uvicorn's server, and how it ends: what was accepted is answered, as far as the drain reaches, and not longer."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn

from recsys.serving.access import to_stderr
from recsys.serving.connections import Connection
from recsys.serving.listening import unavailable

log = logging.getLogger("recsys.serving")
FAREWELL_SECONDS, LEFT_SECONDS = 0.05, 0.4


class Server(uvicorn.Server):
    """To be told to stop is no failure. Work that runs on beyond the drain ends with the process."""

    when_started: Callable[[], None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            # uvloop does not tell when another process was faster
            for listener in sockets or []:
                listener.listen(self.config.backlog)
            await super().startup(sockets)
        except OSError as error:
            raise unavailable(self.config.host, self.config.port, error) from None
        if self.started and self.when_started is not None:
            self.when_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        drain = float(self.config.timeout_graceful_shutdown or 0)
        # whatever threads are busy with then, a join of theirs does not hold the process
        end = threading.Timer(drain + LEFT_SECONDS, end_at_once)
        end.daemon = True
        end.start()
        asyncio.get_running_loop().call_later(drain, self._cut_off)
        await self._accept_the_last(sockets or [])
        await super().shutdown(sockets)

    async def _accept_the_last(self, sockets: list[socket.socket]) -> None:
        """Clients whose connection stands already are not sent away."""
        last: list[socket.socket] = []
        for listener in sockets:
            with contextlib.suppress(OSError):
                while True:
                    last.append(listener.accept()[0])
        for server in self.servers:
            server.close()
        for accepted in last:
            await asyncio.get_running_loop().connect_accepted_socket(self._connection, accepted)

    def _connection(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    def _cut_off(self) -> None:
        connections = [each for each in self.server_state.connections if isinstance(each, Connection)]
        number = sum([connection.cut_off() for connection in connections])
        if number or self.server_state.tasks:
            log.warning("serve: stopped before %d accepted requests were answered", number)
            asyncio.get_running_loop().call_later(FAREWELL_SECONDS, end_at_once)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.handle_exit)
        yield


def end_at_once() -> None:
    """Without a word to threads that are at work; what was to be logged is."""
    to_stderr().flush()
    os._exit(0)
