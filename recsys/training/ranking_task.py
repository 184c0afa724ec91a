"""One training step of the ranker, as Lightning calls it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys.data.example_batches import RankingBatch
from recsys.model.ranking.ranker import Ranker
from recsys.training.ranking_config import RankerOptimizer
from recsys.training.task import Task


class RankingTask(Task):
    """Binary cross-entropy of the labels."""

    def __init__(self, ranker: Ranker, optimizer: RankerOptimizer) -> None:
        super().__init__()
        self.model: Ranker = ranker
        self.optimizer_config = optimizer

    @property
    def body(self) -> nn.Module:
        return self.model.interest

    def training_step(self, batch: RankingBatch) -> Tensor:
        return F.binary_cross_entropy_with_logits(self.model(batch), batch.labels_B)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer_config.build(list(self.parameters()))
