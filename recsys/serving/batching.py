"""Requests that come at about the same time are answered together. Knows neither HTTP nor recommending."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")


class MicroBatcher(Generic[Asked, Answered]):
    """The first request waits `delay` seconds for others. While a batch is answered the next one gathers."""

    def __init__(
        self,
        answer: Callable[[Sequence[Asked]], Sequence[Answered]],
        *,
        executor: Executor,
        delay: float,
        size: int,
    ) -> None:
        self._answer = answer
        self._executor = executor
        self._delay = delay
        self._size = size
        self._waiting: list[tuple[Asked, asyncio.Future[Answered]]] = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, asked: Asked) -> Answered:
        future: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, future))
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        """Until nobody waits."""
        try:
            while self._waiting:
                if len(self._waiting) < self._size and self._delay > 0:
                    await asyncio.sleep(self._delay)
                batch, self._waiting = self._waiting[: self._size], self._waiting[self._size :]
                await self._settle(batch)
        finally:
            self._task = None

    async def _settle(self, batch: Sequence[tuple[Asked, asyncio.Future[Answered]]]) -> None:
        asked = [each for each, _ in batch]
        work = asyncio.get_running_loop().run_in_executor(self._executor, self._answer, asked)
        (answers,) = await asyncio.gather(work, return_exceptions=True)
        waiting = [future for _, future in batch]
        if isinstance(answers, BaseException):
            # of whoever is to blame nothing is known here: each is told
            for future in waiting:
                if not future.done():
                    future.set_exception(answers)
            return
        for future, answer in zip(waiting, answers, strict=True):
            if not future.done():  # its client may have gone
                future.set_result(answer)


def slices(sizes: Sequence[int], *, number: int, size: int) -> Iterator[slice]:
    """Stretches of so many at most, and of such a size together, unless one alone is larger."""
    start = together = 0
    for place, own in enumerate(sizes):
        if place > start and (place - start == number or together + own > size):
            yield slice(start, place)
            start, together = place, 0
        together += own
    if sizes:
        yield slice(start, len(sizes))
