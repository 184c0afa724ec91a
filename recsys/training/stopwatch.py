"""Times training from inside: its first steps, its speed, then its parts; and ends it when all three are known."""

import time
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch

from recsys.data.batches import SequenceBatch
from recsys.data.example_batches import RankingBatch
from recsys.training.task import Task

LEAST_STEPS = 5
PARTS = ("data", "embedding", "blocks", "loss", "backward", "optimiser")


@dataclass
class Lap:
    """A stretch of training: some steps at least, and some seconds. What lies between two epochs does not count."""

    least_seconds: float
    steps: int = 0
    clicks: int = 0
    seconds: float = 0.0

    def add(self, clicks: int, seconds: float) -> None:
        self.steps, self.clicks, self.seconds = self.steps + 1, self.clicks + clicks, self.seconds + seconds

    def ends_with(self, seconds: float) -> bool:
        """Whether a step of so many seconds more is its last."""
        return self.steps + 1 >= LEAST_STEPS and self.seconds + seconds >= self.least_seconds


class Stopwatch(pl.Callback):
    """The last of the callbacks: it times the others too, and overrules who would have training go on.

    `parts` are seconds of the lap `in_parts`, in which the device is waited for at each part's end. The loss makes its
    gradient at once, so it holds the scores' backward pass. `epoch_ends` are seconds of validation and checkpoint.
    """

    def __init__(self, seconds: float) -> None:
        self.warm_up, self.speed, self.in_parts = Lap(0.0), Lap(seconds), Lap(seconds / 4)
        self.after = Lap(0.0)
        self.lap, self.laps_ahead = self.warm_up, iter((self.speed, self.in_parts))
        self.parts = dict.fromkeys(PARTS, 0.0)
        self.epoch_ends: list[float] = []
        self.step_began = self.marked = 0.0

    def on_train_start(self, _: pl.Trainer, pl_module: Any) -> None:
        assert isinstance(pl_module, Task)
        pl_module.body.register_forward_pre_hook(lambda *_: self._mark("embedding"))
        pl_module.body.register_forward_hook(lambda *_: self._mark("blocks"))

    def on_train_epoch_start(self, *_: Any) -> None:
        self.step_began = self.marked = _now()

    def on_train_batch_start(self, *_: Any) -> None:
        self._mark("data")

    def on_before_backward(self, *_: Any) -> None:
        self._mark("loss")

    def on_after_backward(self, *_: Any) -> None:
        self._mark("backward")

    def on_train_batch_end(
        self, trainer: pl.Trainer, _: Any, __: Any, batch: SequenceBatch | RankingBatch, ___: int
    ) -> None:
        self._mark("optimiser")
        is_over = self.lap.ends_with(time.monotonic() - self.step_began)
        now = _now() if is_over or trainer.is_last_batch else time.monotonic()
        self.lap.add(batch.num_targets, now - self.step_began)
        self.step_began = self.marked = now
        if is_over:
            self.lap = next(self.laps_ahead, self.after)
        trainer.should_stop = self.lap is self.after

    def on_train_epoch_end(self, trainer: pl.Trainer, _: pl.LightningModule) -> None:
        self.epoch_ends.append(_now() - self.step_began)
        trainer.should_stop = self.lap is self.after

    def _mark(self, part: str) -> None:
        """The time since the last mark goes to this part."""
        if self.lap is self.in_parts:
            now = _now()
            self.parts[part] += now - self.marked
            self.marked = now


def _now() -> float:
    """Seconds, once the device has done what it was told."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.monotonic()
