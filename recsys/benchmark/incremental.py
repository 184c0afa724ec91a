"""What one more click of a user costs: as a step of what was kept, and as a pass over the whole history."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from recsys.benchmark.commands import Measured
from recsys.benchmark.machine import LoadMeter
from recsys.benchmark.results import Measurement, Setting
from recsys.bundle.opened import open_bundle
from recsys.errors import ConfigError
from recsys.model.retriever import Retriever
from recsys.model.user_state import UserStates
from recsys.section import Section

USERS = (1, 32)
WARM_UP = 3
CLICKS = 10


class ClickPoint(Section):
    """Medians, of so many users who click at once."""

    users: int
    step_seconds: float
    pass_seconds: float

    @property
    def speedup(self) -> float:
        return self.pass_seconds / self.step_seconds

    def row(self) -> tuple[str, str]:
        step_ms, pass_ms = 1e3 * self.step_seconds, 1e3 * self.pass_seconds
        return f"users: {self.users}", f"{step_ms:.3f} ms, the whole history {pass_ms:.3f} ms ({self.speedup:.1f} x)"


class IncrementalBenchmark(Measurement):
    """Of users whose histories are about `length` clicks long, on one thread."""

    length: int
    points: tuple[ClickPoint, ...]

    def rows(self) -> list[tuple[str, str]]:
        return [
            ("one more click", f"at {self.length:,} clicks"),
            *(point.row() for point in self.points),
            *super().rows(),
        ]


def measure_clicks(bundle: Path, out: Path) -> Measured:
    """Of a bundle's retriever; leaves benchmark/click.json."""
    found = benchmark_steps(open_bundle(bundle).retriever)
    return Measured(found, found.write(out, "click"))


def benchmark_steps(retriever: Retriever, *, rounds: int = 20) -> IncrementalBenchmark:
    """The retriever should be in evaluation mode, and read more than one click."""
    if retriever.config.max_length == 1:
        raise ConfigError(
            "model.max_length is 1: a user of one click has no room for another, which is then read alone; benchmark "
            "a retriever that reads more"
        )
    meter, threads = LoadMeter(), torch.get_num_threads()
    torch.set_num_threads(1)
    points = tuple(_point(retriever, num_users, rounds) for num_users in USERS)
    torch.set_num_threads(threads)
    return IncrementalBenchmark(
        setting=Setting.here("cpu, 1 thread"),
        load=meter.load(),
        peak_mb=None,
        length=retriever.config.max_length,
        points=points,
    )


@torch.inference_mode()
def _point(retriever: Retriever, num_users: int, rounds: int) -> ClickPoint:
    """In each round the users' last clicks up to `max_length`, one by one: as steps, then as passes over each longer
    history, so that a slow moment of the machine hits both. Histories are drawn at random."""
    length, generator = retriever.config.max_length, torch.Generator().manual_seed(0)
    lengths, steps, passes = range(max(1, length - CLICKS) + 1, length + 1), [], []
    for number in range(WARM_UP + rounds):
        histories = torch.randint(1, retriever.shape.num_items + 1, (num_users, length), generator=generator)
        users = UserStates.begin(retriever, histories, torch.full((num_users,), lengths[0] - 1))
        longer = [(histories[:, :until], torch.full((num_users,), until)) for until in lengths]
        step_seconds = [_seconds(partial(users.step, clicks[:, -1])) for clicks, _ in longer]
        pass_seconds = [_seconds(partial(retriever.user_vectors, *each)) for each in longer]
        if number >= WARM_UP:
            steps += step_seconds
            passes += pass_seconds
    return ClickPoint(users=num_users, step_seconds=median(steps), pass_seconds=median(passes))


def _seconds(run: Callable[[], Tensor]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
