"""Requests that come together are answered together, each with its own answer."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from recsys.serving.batching import MicroBatcher


def run(answer, asked, *, delay=0.01, size=8):
    async def gather() -> list[object]:
        with ThreadPoolExecutor(1) as executor:
            batcher = MicroBatcher(answer, executor=executor, delay=delay, size=size)
            return await asyncio.gather(*map(batcher, asked), return_exceptions=True)

    return asyncio.run(gather())


def test_together_and_in_order() -> None:
    batches: list[list[int]] = []

    def doubled(asked: Sequence[int]) -> list[int]:
        batches.append(list(asked))
        return [2 * one for one in asked]

    assert run(doubled, range(20)) == [2 * one for one in range(20)]
    assert [len(batch) for batch in batches] == [8, 8, 4]


def test_while_a_batch_is_answered_the_next_one_gathers() -> None:
    batches: list[int] = []
    first = threading.Event()

    def slow(asked: Sequence[int]) -> Sequence[int]:
        batches.append(len(asked))
        if len(batches) == 1:
            assert first.wait(10)
        return asked

    async def drive() -> None:
        with ThreadPoolExecutor(1) as executor:
            batcher = MicroBatcher(slow, executor=executor, delay=0.0, size=8)
            one = asyncio.create_task(batcher(0))
            while not batches:
                await asyncio.sleep(0)
            others = [asyncio.create_task(batcher(number)) for number in range(1, 6)]
            await asyncio.sleep(0)
            first.set()
            assert await asyncio.gather(one, *others) == list(range(6))

    asyncio.run(drive())
    assert batches == [1, 5]


def test_a_fault_is_told_everybody_of_the_batch_and_nobody_else() -> None:
    def picky(asked: Sequence[int]) -> Sequence[int]:
        if 3 in asked:
            raise ValueError("three")
        return asked

    found = run(picky, range(8), size=4)
    assert [isinstance(one, ValueError) for one in found] == [True] * 4 + [False] * 4


def test_who_went_away_stops_nobody() -> None:
    async def drive() -> list[int]:
        with ThreadPoolExecutor(1) as executor:
            batcher = MicroBatcher(lambda asked: asked, executor=executor, delay=0.02, size=8)
            gone, stays = asyncio.create_task(batcher(1)), asyncio.create_task(batcher(2))
            await asyncio.sleep(0)
            gone.cancel()
            with pytest.raises(asyncio.CancelledError):
                await gone
            return [await stays, await batcher(3)]

    assert asyncio.run(drive()) == [2, 3]
