"""Negatives of the sampled softmax: drawn once for a batch, shared by all its positions."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Negatives:
    """Item indices and the log of how often each was expected among the draws."""

    items_S: Tensor
    log_expected_S: Tensor


class NegativeSampler(nn.Module):
    """Draws with replacement from a fixed distribution over items; index 0, padding, has probability 0."""

    probability_V: Tensor
    cumulative_V: Tensor

    def __init__(self, weights_V: Tensor, num_negatives: int) -> None:
        super().__init__()
        self.num_negatives = num_negatives
        probability_V = weights_V.double() / weights_V.double().sum()
        self.register_buffer("probability_V", probability_V, persistent=False)
        self.register_buffer("cumulative_V", probability_V.cumsum(0), persistent=False)

    def forward(self) -> Negatives:
        drawn_S = torch.rand(self.num_negatives, dtype=torch.float64, device=self.cumulative_V.device)
        items_S = torch.searchsorted(self.cumulative_V, drawn_S * self.cumulative_V[-1], right=True)
        items_S = items_S.clamp(1, len(self.cumulative_V) - 1)
        return Negatives(items_S, (self.num_negatives * self.probability_V[items_S]).log().float())
