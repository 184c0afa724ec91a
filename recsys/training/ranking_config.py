"""How a ranker is trained: `ranker.training`."""

from typing import Annotated, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import nn

from recsys.model.ranking.objectives import BceConfig, RankerObjective
from recsys.section import Section
from recsys.training.schedule import RateConfig, ScheduleConfig


class AdagradConfig(RateConfig):
    """Adagrad (Duchi et al. 2011) at a constant rate, as BST's paper has it."""

    kind: Literal["adagrad"] = "adagrad"
    learning_rate: PositiveFloat = 0.01
    warmup_share: float = Field(default=0.0, ge=0.0, le=1.0)
    schedule: Literal["cosine", "constant"] = "constant"

    def build(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(parameters, lr=self.learning_rate)


class AdamWConfig(RateConfig):
    """AdamW (Loshchilov & Hutter 2019), warm-up, then cosine or constant."""

    kind: Literal["adamw"] = "adamw"
    learning_rate: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 0.01

    def build(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        groups = [
            {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": self.weight_decay},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=self.learning_rate, fused=True)


RankerOptimizer = Annotated[AdamWConfig | AdagradConfig, Field(discriminator="kind")]


class RankerTrainingConfig(ScheduleConfig):
    devices: Literal[1] = 1
    """A ranker is trained by one process."""
    max_epochs: PositiveInt = 20
    patience: PositiveInt = 2
    batch_size: PositiveInt = 1024
    """Examples in a batch on each device."""
    objective: RankerObjective = BceConfig()
    optimizer: RankerOptimizer = AdamWConfig()


class LabelledConfig(Section):
    """One example a click of the log, whose label says whether what was shown was clicked, or liked."""

    kind: Literal["labelled"] = "labelled"


class SampledConfig(Section):
    """Clicks are what was clicked, and items drawn beside them what was not."""

    kind: Literal["sampled"] = "sampled"
    negatives: PositiveInt = 1
    """Drawn for each click, among the items that the user has not clicked before."""
    source: Literal["uniform", "popularity", "retriever"] = "uniform"
    """All items alike; as often as they are clicked; or from those that the retriever puts first."""
    depth: PositiveInt = 200
    """How many of the retriever's first items are drawn from."""


ExamplesConfig = Annotated[LabelledConfig | SampledConfig, Field(discriminator="kind")]
