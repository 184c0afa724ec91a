"""One training step of the retriever, as Lightning calls it."""

from typing import Any

import torch
from torch import Tensor, nn

from recsys.data.batches import SequenceBatch
from recsys.model.embedding import ItemTower
from recsys.model.objectives import Objective
from recsys.model.retriever import Retriever
from recsys.training.config import OptimizerConfig
from recsys.training.layouts import Layout, padded
from recsys.training.optimizer import build_optimizer
from recsys.training.rows import clip_gradients_, summed_rows
from recsys.training.task import Task


class RetrievalTask(Task):
    """Predicts what the retriever's target wants: every window's next click at every position, or masked clicks."""

    def __init__(
        self, retriever: Retriever, objective: Objective, optimizer: OptimizerConfig, layout: Layout = padded
    ) -> None:
        super().__init__()
        self.model = retriever
        self.objective = objective
        self.optimizer_config = optimizer
        self.layout = layout
        towers = [module for module in retriever.modules() if isinstance(module, ItemTower)]
        self.sampled_towers = [] if objective.scores_whole_catalogue else towers
        """Of whose items a batch uses few."""

    @property
    def retriever(self) -> Retriever:
        assert isinstance(self.model, Retriever)
        return self.model

    @property
    def body(self) -> nn.Module:
        return self.retriever.encoder

    def measures(self) -> dict[str, float]:
        return self.retriever.encoder.measures()

    def training_step(self, batch: SequenceBatch) -> Tensor:
        batch = self.retriever.target.examples(batch)
        user_ND = self.layout(self.retriever, batch)
        loss = self.objective(self.retriever, user_ND, batch.without_padding(batch.targets_BL))
        # DDP averages gradients over ranks; the mean wanted is the one over all ranks' targets
        loss = loss * (self.trainer.world_size / batch.num_targets)
        return sum(self.retriever.encoder.penalties(), loss)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return build_optimizer(self, self.optimizer_config)

    def configure_gradient_clipping(
        self,
        optimizer: Any,  # Lightning's own clipping refuses fused optimisers
        gradient_clip_val: Any = None,
        gradient_clip_algorithm: Any = None,
    ) -> None:
        for tower in self.sampled_towers:
            if tower.weight_VD.grad is not None:
                tower.weight_VD.grad = summed_rows(tower.weight_VD.grad)
        gradients = [parameter.grad for parameter in self.parameters() if parameter.grad is not None]
        clip_gradients_(gradients, self.optimizer_config.clip_norm)
