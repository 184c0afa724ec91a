"""What Lightning trains, as the callbacks see it."""

from abc import ABC, abstractmethod
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn


class Task(pl.LightningModule, ABC):
    """One model and its training step. Batches are built where they are used; loops start anew on resuming."""

    model: nn.Module
    """What is validated, averaged and kept."""

    @property
    @abstractmethod
    def body(self) -> nn.Module:
        """The part of the model between what embeds its input and what makes a loss of its output."""

    def measures(self) -> dict[str, float]:
        """What the model has learned that a number tells, by name: looked at after each epoch."""
        return {}

    def transfer_batch_to_device(self, batch: Any, device: torch.device, _: int) -> Any:
        return batch

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # Lightning's own loop state cannot resume mid-epoch; Progress can, so the loops always start fresh
        del checkpoint["loops"]
