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
from recsys.model.retriever import Retriever
from recsys.model.user_state import UserStates

WARM_UP = 3
CLICKS = 10


class IncrementalBenchmark(Measurement):
    """Medians, of one user whose history is about `length` clicks long, on one thread."""

    length: int
    step_seconds: float
    pass_seconds: float

    @property
    def speedup(self) -> float:
        return self.pass_seconds / self.step_seconds

    def rows(self) -> list[tuple[str, str]]:
        return [
            ("one more click", f"{1e3 * self.step_seconds:.3f} ms, at {self.length:,} clicks"),
            ("the whole history", f"{1e3 * self.pass_seconds:.3f} ms ({self.speedup:.1f} times)"),
            *super().rows(),
        ]


def measure_clicks(bundle: Path, out: Path) -> Measured:
    """Of a bundle's retriever; leaves benchmark/click.json."""
    found = benchmark_steps(open_bundle(bundle).retriever)
    return Measured(found, found.write(out, "click"))


@torch.inference_mode()
def benchmark_steps(retriever: Retriever, *, rounds: int = 20) -> IncrementalBenchmark:
    """In each round a user's last clicks up to `max_length`, one by one: as steps, then as passes over each longer
    history, so that a slow moment of the machine hits both. Histories are drawn at random.

    The retriever should be in evaluation mode.
    """
    meter, threads, length = LoadMeter(), torch.get_num_threads(), retriever.config.max_length
    torch.set_num_threads(1)
    lengths, generator = range(max(1, length - CLICKS) + 1, length + 1), torch.Generator().manual_seed(0)
    steps, passes = [], []
    for number in range(WARM_UP + rounds):
        history = torch.randint(1, retriever.shape.num_items + 1, (1, length), generator=generator)
        users = UserStates.begin(retriever, history, torch.tensor([lengths[0] - 1]))
        longer = [(history[:, :until], torch.tensor([until])) for until in lengths]
        step_seconds = [_seconds(partial(users.step, clicks[:, -1])) for clicks, _ in longer]
        pass_seconds = [_seconds(partial(retriever.user_vectors, *each)) for each in longer]
        if number >= WARM_UP:
            steps += step_seconds
            passes += pass_seconds
    torch.set_num_threads(threads)
    return IncrementalBenchmark(
        setting=Setting.here("cpu, 1 thread"),
        load=meter.load(),
        peak_mb=None,
        length=length,
        step_seconds=median(steps),
        pass_seconds=median(passes),
    )


def _seconds(run: Callable[[], Tensor]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
