"""One training step of the ranker, as Lightning calls it."""

import torch
from torch import Tensor, nn

from recsys.data.example_batches import RankingBatch
from recsys.model.ranking.objectives import RankerObjective
from recsys.model.ranking.ranker import Ranker
from recsys.training.ranking_config import RankerOptimizer
from recsys.training.task import Task


class RankingTask(Task):
    def __init__(self, ranker: Ranker, objective: RankerObjective, optimizer: RankerOptimizer) -> None:
        super().__init__()
        self.model: Ranker = ranker
        self.objective = objective
        self.optimizer_config = optimizer

    @property
    def body(self) -> nn.Module:
        return self.model.interest

    def measures(self) -> dict[str, float]:
        return self.model.interest.measures()

    def training_step(self, batch: RankingBatch) -> Tensor:
        loss = self.objective.loss(self.model(batch), batch.labels_HC)
        return sum(self.model.interest.penalties(), loss)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer_config.build(list(self.parameters()))
