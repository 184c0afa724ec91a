"""Judges a model after each epoch, and keeps the best weights so far."""

from typing import Any, Protocol

import pytorch_lightning as pl
from torch import Tensor, nn

from recsys.training.averaging import WeightAverage
from recsys.training.task import Task


class Judge(Protocol):
    """A score of held-out data, the larger the better; there may be none of it."""

    metric: str
    """What people call the score."""

    def __len__(self) -> int: ...

    def __call__(self, model: nn.Module) -> float: ...


class KeepBest(pl.Callback):
    """Validates after each epoch, keeps the best weights, and stops training when they stay the best too long.

    What is validated and kept is the average of the weights where there is one. Without validation users the last
    weights are the ones kept.
    """

    def __init__(self, validator: Judge, average: WeightAverage, patience: int) -> None:
        self.validator = validator
        self.average = average
        self.patience = patience
        self.epochs = self.best_epoch = 0
        self.latest: float | None = None
        self.best: float | None = None
        self.weights: dict[str, Tensor] = {}

    @property
    def is_patient(self) -> bool:
        return self.epochs - self.best_epoch < self.patience

    def state_dict(self) -> dict[str, Any]:
        names = ("epochs", "best_epoch", "latest", "best", "weights")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name, value in state_dict.items():
            setattr(self, name, value)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Task)
        with self.average.in_place(pl_module.model):
            self._judge(trainer, pl_module.model)

    def _judge(self, trainer: pl.Trainer, model: nn.Module) -> None:
        if len(self.validator):
            model.eval()
            self.latest = trainer.strategy.broadcast(self.validator(model) if trainer.is_global_zero else None)
            model.train()
        self.epochs += 1
        if self.latest is None or self.best is None or self.latest > self.best:
            self.best, self.best_epoch = self.latest, self.epochs
            self.weights = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
