"""When the served bundle is loaded again: on SIGHUP, on an administrator's word, or because its pointer has moved."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from recsys.serving.current import Current, Outcome
from recsys.serving.metrics import Metrics

log = logging.getLogger("recsys.serving")


class Reloading:
    """Loads run beside the requests, not before them; one that fails ends neither the server nor the watch."""

    def __init__(self, current: Current, metrics: Metrics, *, watch_seconds: float) -> None:
        self._current = current
        self._metrics = metrics
        self._watch_seconds = watch_seconds
        self._loads: set[asyncio.Task[Outcome]] = set()

    @asynccontextmanager
    async def living(self, _: object) -> AsyncIterator[None]:
        """What the pointer led to while the first bundle was being loaded is not missed: a SIGHUP then did nothing."""
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError, RuntimeError, ValueError):  # no main thread, no Unix
            loop.add_signal_handler(signal.SIGHUP, self._begin)
        await self._follow()
        watcher = loop.create_task(self._watch())
        yield
        watcher.cancel()

    async def load(self) -> Outcome:
        outcome = await asyncio.to_thread(self._current.reload)
        self._metrics.reloaded(outcome)
        self._metrics.serving(self._current.answers.bundle)
        return outcome

    async def _watch(self) -> None:
        while self._watch_seconds:
            await asyncio.sleep(self._watch_seconds)
            await self._follow()

    async def _follow(self) -> None:
        if await asyncio.to_thread(lambda: self._current.has_moved):
            await asyncio.wait({self._begin()})

    def _begin(self) -> asyncio.Task[Outcome]:
        task = asyncio.get_running_loop().create_task(self.load())
        self._loads.add(task)
        task.add_done_callback(self._end)
        return task

    def _end(self, task: asyncio.Task[Outcome]) -> None:
        self._loads.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("serve: loading failed, %s stays", self._current.answers.bundle, exc_info=error)
