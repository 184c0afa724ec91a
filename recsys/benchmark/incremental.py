"""What one more click of a user costs: as a step of what was kept, and as a pass over the whole history."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch
from torch import Tensor

from recsys.model.retriever import Retriever
from recsys.model.user_state import UserStates

WARM_UP = 3
CLICKS = 10


@dataclass(frozen=True)
class IncrementalBenchmark:
    """Medians, of one user whose history is about `length` clicks long."""

    length: int
    threads: int
    step_seconds: float
    pass_seconds: float

    @property
    def speedup(self) -> float:
        return self.pass_seconds / self.step_seconds


@torch.inference_mode()
def benchmark_steps(retriever: Retriever, *, length: int | None = None, rounds: int = 20) -> IncrementalBenchmark:
    """In each round a user's last clicks up to `length`, one by one: as steps, then as passes over each longer history,
    so that a slow moment of the machine hits both. Histories are drawn at random.

    `length` is the retriever's `max_length` where it is not said. The retriever should be in evaluation mode.
    """
    length = retriever.config.max_length if length is None else length
    lengths, device = range(max(1, length - CLICKS) + 1, length + 1), retriever.clicked.weight_VD.device
    generator = torch.Generator().manual_seed(0)
    steps, passes = [], []
    for number in range(WARM_UP + rounds):
        history = torch.randint(1, retriever.shape.num_items + 1, (1, length), generator=generator).to(device)
        users = UserStates.begin(retriever, history, torch.tensor([lengths[0] - 1], device=device))
        longer = [(history[:, :until], torch.tensor([until], device=device)) for until in lengths]
        step_seconds = [_seconds(partial(users.step, clicks[:, -1])) for clicks, _ in longer]
        pass_seconds = [_seconds(partial(retriever.user_vectors, *each)) for each in longer]
        if number >= WARM_UP:
            steps += step_seconds
            passes += pass_seconds
    return IncrementalBenchmark(length, torch.get_num_threads(), median(steps), median(passes))


def _seconds(run: Callable[[], Tensor]) -> float:
    """Until the answer is on the CPU."""
    began = time.perf_counter()
    run().cpu()
    return time.perf_counter() - began
