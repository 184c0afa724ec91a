"""AUC of the validation examples after each epoch, of all together or user by user."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recsys.data.example_batches import ExampleReader
from recsys.evaluation.click_metrics import auc, gauc

BATCH = 1024


class RankingJudge:
    def __init__(self, reader: ExampleReader, metric: Literal["AUC", "GAUC"]) -> None:
        self.reader = reader
        self.metric: str = metric

    def __len__(self) -> int:
        """0 where no AUC can be had: without examples of both kinds."""
        labels = self.reader.examples.labels
        return labels.size if len(np.unique(labels)) == 2 else 0

    def __call__(self, model: nn.Module) -> float:
        examples, logits = self.reader.examples, predict(model, self.reader)
        labels = examples.labels.ravel().astype(np.float64)
        return auc(logits, labels) if self.metric == "AUC" else gauc(logits, labels, examples.user_of_each)


@torch.inference_mode()
def predict(model: nn.Module, reader: ExampleReader) -> NDArray[np.float64]:
    """[E] logits, in the order of the examples. The model should be in evaluation mode."""
    device = next(model.parameters()).device
    parts = [model(batch.to(device)).float().flatten().cpu().numpy() for batch in reader.in_order(BATCH)]
    return np.concatenate([np.zeros(0), *parts]).astype(np.float64)
