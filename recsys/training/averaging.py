"""An exponential moving average of the weights: what is validated and kept in the place of the last step's weights.

Polyak & Juditsky 1992; with a warm-up, so that the first steps do not weigh on it for long.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from recsys.training.task import Task


class WeightAverage(pl.Callback):
    """After step n the average moves by 1 - min(decay, (1 + n) / (10 + n)) of the way to the weights.

    Every rank keeps the same one, for every rank has the same weights. A decay of 0 is no average at all.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.weights: dict[str, Tensor] = {}

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.steps, self.weights = state_dict["steps"], state_dict["weights"]

    def on_train_start(self, _: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.decay == 0.0:
            return
        parameters = _parameters(pl_module)
        kept = self.weights or {name: parameter.detach().clone() for name, parameter in parameters.items()}
        self.weights = {name: kept[name].to(parameter.device) for name, parameter in parameters.items()}

    @torch.no_grad()
    def on_train_batch_end(self, _: pl.Trainer, pl_module: pl.LightningModule, *__: Any) -> None:
        if not self.weights:
            return
        self.steps += 1
        share = 1.0 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_([*self.weights.values()], [*_parameters(pl_module).values()], share)

    @contextmanager
    def in_place(self, model: nn.Module) -> Iterator[None]:
        """Within, the model has the average for its weights."""
        parameters = dict(model.named_parameters()) if self.weights else {}
        trained = {name: parameter.data for name, parameter in parameters.items()}
        try:
            for name, parameter in parameters.items():
                parameter.data = self.weights[name]
            yield
        finally:
            for name, parameter in parameters.items():
                parameter.data = trained[name]


def _parameters(pl_module: pl.LightningModule) -> dict[str, nn.Parameter]:
    assert isinstance(pl_module, Task)
    return dict(pl_module.model.named_parameters())
