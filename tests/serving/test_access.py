"""The log stops nobody, loses nothing silently, and tells when."""

import asyncio
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from recsys.serving.access import AccessLog, LineWriter


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def lines_of(reader: int, number: int) -> list[str]:
    told = b""
    while told.count(b"\n") < number:
        told += os.read(reader, 1 << 16)
    return told.decode().splitlines()


def test_nobody_waits_for_who_does_not_read_and_what_is_lost_is_counted(pipe: tuple[int, int]) -> None:
    reader, writing = pipe
    writer, line = LineWriter(writing, most=100), "x" * 1_000
    began = time.monotonic()
    for _ in range(100):
        writer.put([line] * 10)
    assert time.monotonic() - began < 1
    writer.flush(0.05)
    assert time.monotonic() - began < 2
    found: list[str] = []
    while not found or not found[-1].endswith("found no room and are lost"):
        found += lines_of(reader, 1)
    lost = int(found[-1].split()[1])
    assert sum(len(part) for part in found[:-1]) == (1_000 - lost) * 1_000


def test_each_line_is_json_with_the_time_in_front(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1])

    async def drive() -> None:
        access = AccessLog(writer)
        access.write('{"status":200}')
        access.write('{"status":404}')

    asyncio.run(drive())
    writer.flush(10)  # as at the end, when nobody waits for a fifth of a second any more
    told = [json.loads(line) for line in lines_of(pipe[0], 2)]
    assert [list(line) for line in told] == [["time", "status"]] * 2
    moment = datetime.fromisoformat(told[0]["time"])
    assert moment.tzinfo == UTC
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 60


def test_a_reader_that_has_gone_is_no_failure() -> None:
    reader, writing = os.pipe()
    os.close(reader)
    writer = LineWriter(writing)
    for _ in range(2):
        writer.put(["nobody reads this"])
        writer.flush(10)
    os.close(writing)
