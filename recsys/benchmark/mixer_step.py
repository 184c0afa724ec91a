"""A training step of an encoder, timed and weighed in a process of its own: a plan comes in, a `StepPoint` goes out."""

import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Literal

import torch
from pydantic import PositiveFloat, PositiveInt

from recsys.benchmark.machine import MB, PROC, Load, forget_peak_memory, peak_memory
from recsys.model.retriever import RetrieverConfig
from recsys.nn.context import SequenceContext
from recsys.nn.encoder import Encoder
from recsys.section import Section

WARM_UP_LENGTH, MOST_STEPS = 8, 50
MICROSECONDS_BETWEEN = 10**9


class StepPlan(Section):
    """Rows that are all `length` clicks long, as many as `tokens` allow and one at least."""

    model: RetrieverConfig
    length: PositiveInt
    tokens: PositiveInt
    device: Literal["cpu", "cuda"]
    precision: Literal["32-true", "bf16-mixed"]
    threads: PositiveInt
    seconds: PositiveFloat = 5.0
    """Steps are timed for so long: one at least, the first left out."""
    most_seconds: PositiveFloat = 60.0
    """A step that takes longer is given up, and its process with it."""
    most_mb: PositiveFloat = 8_000.0

    @property
    def rows(self) -> int:
        return max(1, self.tokens // self.length)

    def given_up(self, fault: str) -> "StepPoint":
        return StepPoint(length=self.length, rows=self.rows, fault=fault)

    @property
    def too_slow(self) -> str:
        return f"> {self.most_seconds:g} s"

    @property
    def too_large(self) -> str:
        return f"> {self.most_mb / 1e3:g} GB"


class StepPoint(Section):
    """What a step of rows of one length takes."""

    length: int
    rows: int
    steps: int = 0
    seconds: float | None = None
    """Forward and backward; the median of the steps."""
    memory_mb: float | None = None
    """By how much the process grew at the peak of a step (of a GPU: what was allocated): activations and gradients,
    without weights and inputs. None where nobody tells."""
    load: Load = Load(others=None)
    """Of the machine meanwhile."""
    fault: str | None = None
    """Why there is nothing of the above: what a table can show, then perhaps a colon and more."""

    @property
    def has_failed(self) -> bool:
        """By an error, and not because it is too slow or too large."""
        return self.fault is not None and not self.fault.startswith(">")

    @property
    def milliseconds_text(self) -> str:
        return self._shown(None if self.seconds is None else 1e3 * self.seconds)

    @property
    def memory_text(self) -> str:
        return self._shown(self.memory_mb)

    def _shown(self, value: float | None) -> str:
        if value is None:
            return (self.fault or "-").partition(":")[0]
        return f"{value:,.1f}" if value < 10 else f"{value:,.0f}"


def measured(plan: StepPlan) -> StepPoint:
    """In this process, which is killed if a step takes too long."""
    torch.set_num_threads(plan.threads)
    torch.manual_seed(0)
    encoder = Encoder(plan.model, max_length=plan.length).to(plan.device).train()
    # what torch loads and keeps when it first computes is no part of a step
    _step_of(encoder, plan, rows=1, length=min(WARM_UP_LENGTH, plan.length))()
    step = _step_of(encoder, plan, rows=plan.rows, length=plan.length)
    before = _restarted_memory(plan)
    try:
        times = list(_timed(step, plan))
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error):
            return plan.given_up(plan.too_large)
        raise
    memory = None if before is None else max(0.0, (_peak(plan) or before) - before)
    return StepPoint(
        length=plan.length, rows=plan.rows, steps=len(times), seconds=median(times), memory_mb=memory, fault=None
    )


def _step_of(encoder: Encoder, plan: StepPlan, *, rows: int, length: int) -> Callable[[], None]:
    """Forward and backward on random events, with gradients for the events as for the weights."""
    device = torch.device(plan.device)
    events = torch.randn(rows, length, plan.model.dim, device=device, requires_grad=True)
    wanted = torch.randn(rows, length, plan.model.dim, device=device)
    times = torch.randint(1, MICROSECONDS_BETWEEN, (rows, length + 1), device=device).cumsum(dim=1)
    lengths = torch.full((rows,), length, device=device)
    causal = plan.model.target.is_causal
    context = SequenceContext(lengths, times_BL=times[:, :-1], asked_BL=times[:, 1:], causal=causal)

    def step() -> None:
        with torch.autocast(plan.device, torch.bfloat16, enabled=plan.precision == "bf16-mixed"):
            loss = (encoder(events, context) * wanted).sum()
        loss.backward()
        encoder.zero_grad(set_to_none=True)
        events.grad = None
        if plan.device == "cuda":
            torch.cuda.synchronize()

    return step


def _timed(step: Callable[[], None], plan: StepPlan) -> Iterator[float]:
    with _killed_after(plan.most_seconds):
        step()
    until = time.perf_counter() + plan.seconds
    for _ in range(MOST_STEPS):
        began = time.perf_counter()
        with _killed_after(plan.most_seconds):
            step()
        ended = time.perf_counter()
        yield ended - began
        if ended > until:
            return


@contextmanager
def _killed_after(seconds: float) -> Iterator[None]:
    """By the system, also in the midst of a product of matrices."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)


def _restarted_memory(plan: StepPlan) -> float | None:
    """What is held now, in MB, from which on only so much more may be."""
    if plan.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        whole = torch.cuda.get_device_properties(0).total_memory / MB
        held = torch.cuda.memory_allocated() / MB
        torch.cuda.set_per_process_memory_fraction(min(1.0, (held + plan.most_mb) / whole))
        return held
    path = PROC / "self" / "status"
    if path.exists():
        (line,) = (line for line in path.read_text().splitlines() if line.startswith("VmData"))
        allowed = int(line.split()[1]) * 1024 + int(plan.most_mb * MB)
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    forget_peak_memory()
    return peak_memory()


def _peak(plan: StepPlan) -> float | None:
    return torch.cuda.max_memory_allocated() / MB if plan.device == "cuda" else peak_memory()


if __name__ == "__main__":
    sys.stdout.write(measured(StepPlan.model_validate_json(sys.stdin.buffer.read())).model_dump_json())
