"""Several processes behind one socket: each that ends or hangs is replaced, and SIGHUP replaces them one by one."""

import logging
import signal
import socket
import sys
import time
from collections.abc import Sequence
from types import FrameType

import uvicorn
from uvicorn.supervisors.multiprocess import Process

from recsys.errors import RecsysError
from recsys.serving.access import log_to_stderr
from recsys.serving.stopping import Server

log = logging.getLogger("recsys.serving")
LOOK_SECONDS, START_SECONDS, LIVE_SECONDS, RETRY_SECONDS, GRACE_SECONDS = 0.1, 120.0, 5.0, 5.0, 0.7
HELD = {signal.SIGINT, signal.SIGHUP}
"""A terminal sends these to all; what becomes of them is the parent's to say."""


class Worker(Process):
    """One process. What is wrong with its bundle is told on one line."""

    is_up = False
    _asked: float | None = None

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        log_to_stderr()
        try:
            super().target(sockets)
        except RecsysError as error:
            log.error("error: %s", error)
            sys.exit(error.exit_code)

    @property
    def server(self) -> Server:
        if self._server is None:
            self._server = Server(self.config)
        assert isinstance(self._server, Server)
        return self._server

    @property
    def is_running(self) -> bool:
        return self.process.is_alive()

    def has_hung(self) -> bool:
        """Asks it how it is, and waits for nothing: whether it has been silent for longer than it may."""
        try:
            if self.parent_conn.poll(0):
                self.is_up, self._asked = self.parent_conn.recv() or self.is_up, None
            if self._asked is None:
                self.parent_conn.send(b"ping")
                self._asked = time.monotonic()
        except (OSError, EOFError):
            return False  # it has ended, which is seen elsewhere
        return time.monotonic() - self._asked > (LIVE_SECONDS if self.is_up else START_SECONDS)

    def end(self) -> int:
        """At once; its exit code."""
        if self.is_running:
            self.process.kill()
        self.process.join()
        return self.process.exitcode or 0


class Workers:
    """`run` until a signal says so."""

    def __init__(self, config: uvicorn.Config, sockets: Sequence[socket.socket]) -> None:
        self._config = config
        self._sockets = list(sockets)
        self._signals: list[int] = []
        self._workers: list[Worker] = []
        self._old: list[Worker] = []
        self._successor: Worker | None = None
        self._leaving: Worker | None = None
        self._retry = 0.0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def run(self) -> None:
        """Ends with the exit code of a worker that could not start at all."""
        self._workers = [self._started() for _ in range(self._config.workers)]
        failure = 0
        while not failure and not {signal.SIGINT, signal.SIGTERM} & set(self._signals):
            if signal.SIGHUP in self._signals:
                self._signals.remove(signal.SIGHUP)
                self._old = list(self._workers)
            failure = self._look_after()
            self._replace_next()
            time.sleep(LOOK_SECONDS)
        self._end()
        if failure:
            sys.exit(failure)

    def _note(self, number: int, _: FrameType | None) -> None:
        self._signals.append(number)

    def _started(self) -> Worker:
        worker = Worker(self._config, self._sockets)
        # children inherit what is held back, and so are not disturbed
        signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
        worker.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
        return worker

    def _look_after(self) -> int:
        """The exit code where nothing is served, and another try would end alike."""
        for place, worker in enumerate(self._workers):
            has_hung = worker.has_hung()
            if (worker.is_running and not has_hung) or time.monotonic() < self._retry:
                continue
            code = worker.end()
            log.warning("serve: process %s %s, another takes its place", worker.pid, "hung" if has_hung else "ended")
            if not worker.is_up:
                if code > 0 and not any(other.is_up for other in self._workers):
                    return code  # it ended by itself; who was killed may have been up without having told yet
                self._retry = time.monotonic() + RETRY_SECONDS
            self._workers[place] = self._started()
        return 0

    def _replace_next(self) -> None:
        """One step of a replacement, if there is one going on."""
        if self._leaving is not None:
            self._leaving = self._leaving if self._leaving.is_running else None
        elif self._successor is None:
            self._old = [worker for worker in self._old if worker in self._workers]
            self._successor = self._started() if self._old else None
        elif self._successor.has_hung() or not self._successor.is_running:
            self._successor.end()
            self._successor, self._old = None, []
            log.warning("serve: the new process did not start, the others stay")
        elif self._successor.is_up:
            # the old one may have ended meanwhile, and been replaced: then that is one more to leave
            self._leaving, place = self._old.pop(0), 0
            if self._leaving in self._workers:
                place = self._workers.index(self._leaving)
            self._leaving = self._workers[place]
            self._workers[place], self._successor = self._successor, None
            self._leaving.terminate()

    def _end(self) -> None:
        # the last of the workers to close it takes in who has come until then
        for listener in self._sockets:
            listener.close()
        everybody = [*self._workers, *(one for one in (self._successor, self._leaving) if one is not None)]
        for worker in everybody:
            worker.terminate()
        deadline = time.monotonic() + float(self._config.timeout_graceful_shutdown or 0) + GRACE_SECONDS
        for worker in everybody:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            worker.end()
