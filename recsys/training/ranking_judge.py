"""AUC of the validation examples after each epoch."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recsys.data.example_batches import ExampleReader
from recsys.evaluation.click_metrics import auc

BATCH = 4096


class RankingJudge:
    metric = "AUC"

    def __init__(self, reader: ExampleReader) -> None:
        self.reader = reader

    def __len__(self) -> int:
        """0 where no AUC can be had: without examples of both kinds."""
        labels = self.reader.examples.labels
        return len(labels) if len(np.unique(labels)) == 2 else 0

    def __call__(self, model: nn.Module) -> float:
        return auc(predict(model, self.reader), self.reader.examples.labels.astype(np.float64))


@torch.inference_mode()
def predict(model: nn.Module, reader: ExampleReader) -> NDArray[np.float64]:
    """[E] logits, in the order of the examples. The model should be in evaluation mode."""
    device = next(model.parameters()).device
    parts = [model(batch.to(device)).float().cpu().numpy() for batch in reader.in_order(BATCH)]
    return np.concatenate([np.zeros(0), *parts]).astype(np.float64)
