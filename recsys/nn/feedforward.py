"""Position-wise feed-forward networks: plain, and gated as in Shazeer 2020 (https://arxiv.org/abs/2002.05202)."""

from typing import Literal

import torch.nn.functional as F
from pydantic import PositiveFloat
from torch import Tensor, nn

from recsys.section import Section


class FeedForward(nn.Module):
    """activation(x W1) W2"""

    def __init__(self, dim: int, hidden: int, activation: nn.Module) -> None:
        super().__init__()
        self.up = nn.Linear(dim, hidden)
        self.activation = activation
        self.down = nn.Linear(hidden, dim)

    def forward(self, x_BLD: Tensor) -> Tensor:
        return self.down(self.activation(self.up(x_BLD)))


class SwiGlu(nn.Module):
    """(silu(x W1) * x V) W2"""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        # two products, not one cut in half: on the CPU the backward pass then has no halves to put together
        self.gate = nn.Linear(dim, hidden, bias=False)
        self.up = nn.Linear(dim, hidden, bias=False)
        self.down = nn.Linear(hidden, dim, bias=False)

    def forward(self, x_BLD: Tensor) -> Tensor:
        return self.down(F.silu(self.gate(x_BLD)) * self.up(x_BLD))


class FeedForwardConfig(Section):
    kind: Literal["relu", "gelu", "leaky_relu", "swiglu"] = "swiglu"
    expansion: PositiveFloat = 4.0
    """Hidden width as a multiple of the model's width."""

    def build(self, dim: int) -> nn.Module:
        hidden = max(1, round(self.expansion * dim))
        if self.kind == "swiglu":
            return SwiGlu(dim, hidden)
        return FeedForward(dim, hidden, {"relu": nn.ReLU, "gelu": nn.GELU, "leaky_relu": nn.LeakyReLU}[self.kind]())
