"""The optimiser's parameter groups, and the learning rate as a function of how much of training is done."""

import math

from torch import nn

from recsys.training.config import OptimizerConfig
from recsys.training.rows import RowwiseAdamW
from recsys.training.schedule import RateConfig


def build_optimizer(model: nn.Module, config: OptimizerConfig) -> RowwiseAdamW:
    """What is no vector decays: matrices, and tables of what a head makes of each distance. Biases and norms do not."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return RowwiseAdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)


def learning_rate(config: RateConfig, share_done: float) -> float:
    """Linear from 0 over the warm-up, then the peak (constant) or half a cosine down to 0."""
    if share_done < config.warmup_share:
        return config.learning_rate * share_done / config.warmup_share
    if config.schedule == "constant":
        return config.learning_rate
    falling = (share_done - config.warmup_share) / max(1.0 - config.warmup_share, 1e-9)
    return config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(falling, 1.0)))
