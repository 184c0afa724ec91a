"""What training tells while it runs: one record an epoch, and one progress bar."""

import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pytorch_lightning as pl
import torch
from tqdm import tqdm

from recsys.errors import UserError
from recsys.training.keep_best import KeepBest
from recsys.training.progress import Progress
from recsys.training.task import Task

READ_SECONDS = 0.5


@dataclass(frozen=True)
class EpochRecord:
    """One epoch in numbers: mean loss a click in nats, throughput while training, and the score of the validation."""

    epoch: int
    loss: float
    clicks_per_second: float
    minutes: float
    validation: float | None
    measures: dict[str, float] = field(default_factory=dict)
    """Of what the model, as it is validated, has learned, by name."""


class Reporter(pl.Callback):
    """Sums up each epoch and hands the record to every listener, on the first rank only."""

    def __init__(
        self, progress: Progress, keep_best: KeepBest, listeners: Sequence[Callable[[EpochRecord], None]]
    ) -> None:
        self.progress = progress
        self.keep_best = keep_best
        self.listeners = listeners
        self.history: list[EpochRecord] = []
        self.clicks, self.seconds, self.loss_sum = 0, 0.0, torch.zeros(())

    def state_dict(self) -> dict[str, Any]:
        history = [asdict(record) for record in self.history]
        # of several ranks this is the first one's loss: each goes on from it, so that their sum is about right
        return {"history": history, "clicks": self.clicks, "seconds": self.seconds, "loss_sum": float(self.loss_sum)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = [EpochRecord(**record) for record in state_dict["history"]]
        self.clicks, self.seconds = state_dict["clicks"], state_dict["seconds"]
        self.loss_sum = torch.tensor(state_dict["loss_sum"])

    def on_train_epoch_start(self, _: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.progress.batch == 0:
            self.clicks, self.seconds, self.loss_sum = 0, 0.0, torch.zeros(())
        self.loss_sum = self.loss_sum.to(pl_module.device)  # summed there, so that no step waits for it
        self.started = time.monotonic() - self.seconds

    def on_train_batch_end(self, trainer: pl.Trainer, _: Any, outputs: Any, batch: Any, __: int) -> None:
        self.loss_sum = self.loss_sum + outputs["loss"].detach() * (batch.num_targets / trainer.world_size)
        self.clicks += batch.num_targets
        if trainer.is_last_batch:
            self.loss_sum.item()  # the device may be some steps behind, and they take time too
        self.seconds = time.monotonic() - self.started

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Task)
        total = trainer.strategy.reduce(self.loss_sum, reduce_op="sum")
        loss = float(total) / max(1, self.clicks)
        if not math.isfinite(loss):
            raise UserError(
                f"training diverged: the loss of epoch {self.progress.epoch + 1} is {loss}; "
                f"lower training.optimizer.learning_rate and start again with --restart"
            )
        with self.keep_best.average.in_place(pl_module.model):
            measures = pl_module.measures()
        record = EpochRecord(
            epoch=self.progress.epoch + 1,
            loss=loss,
            clicks_per_second=self.clicks / max(self.seconds, 1e-9),
            minutes=self.progress.seconds / 60,
            validation=self.keep_best.latest,
            measures=measures,
        )
        self.history.append(record)
        if trainer.is_global_zero:
            for listener in self.listeners:
                listener(record)


class ProgressBar(pl.Callback):
    """Loss, clicks/s and the best validation on one line, redrawn; nothing where there is no terminal to draw on.

    To read the loss is to wait for the device, so it is read twice a second and not every so many batches.
    """

    def __init__(self, progress: Progress, keep_best: KeepBest, max_epochs: int) -> None:
        self.progress = progress
        self.keep_best = keep_best
        self.max_epochs = max_epochs

    def on_train_epoch_start(self, trainer: pl.Trainer, _: pl.LightningModule) -> None:
        self.bar = tqdm(
            desc=f"epoch {self.progress.epoch + 1}/{self.max_epochs}",
            unit=" clicks",
            unit_scale=True,
            disable=None if trainer.is_global_zero else True,
            leave=False,
            file=sys.stderr,
        )
        self.read_at = -math.inf

    def on_train_batch_end(self, _: Any, __: Any, outputs: Any, batch: Any, ___: int) -> None:
        self.bar.total = self.progress.clicks_ahead
        now = time.monotonic()
        if not self.bar.disable and now - self.read_at >= READ_SECONDS:
            self.read_at = now
            verdict = self._verdict()
            self.bar.set_postfix_str(f"loss {outputs['loss'].item():.3f}{verdict}", refresh=False)
        self.bar.update(batch.num_targets)

    def _verdict(self) -> str:
        kept = self.keep_best
        if kept.best is None:
            return ""
        return f", best {kept.validator.metric} {kept.best:.4f} (epoch {kept.best_epoch})"

    def on_train_epoch_end(self, *_: Any) -> None:
        self.bar.close()

    def on_exception(self, *_: Any) -> None:
        if hasattr(self, "bar"):
            self.bar.close()
