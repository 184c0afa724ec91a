"""Position-wise feed-forward networks: plain, and gated as in Shazeer 2020 (https://arxiv.org/abs/2002.05202)."""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from recsys.section import Section

Activation = Callable[[Tensor], Tensor]


class FeedForward(nn.Module):
    """activation(x W1) W2"""

    def __init__(self, dim: int, hidden: int, activation: Activation, *, num_chunks: int = 1) -> None:
        super().__init__()
        self.up = nn.Linear(dim, hidden)
        self.activation = activation
        self.down = nn.Linear(hidden, dim)
        self.num_chunks = num_chunks

    def forward(self, x_BLD: Tensor) -> Tensor:
        return in_chunks(self.whole, x_BLD, self.num_chunks)

    def whole(self, x_BLD: Tensor) -> Tensor:
        return self.down(self.activation(self.up(x_BLD)))


class GatedFeedForward(nn.Module):
    """(activation(x W1) * x V) W2"""

    def __init__(self, dim: int, hidden: int, activation: Activation, *, num_chunks: int = 1) -> None:
        super().__init__()
        # two products, not one cut in half: on the CPU the backward pass then has no halves to put together
        self.gate = nn.Linear(dim, hidden, bias=False)
        self.activation = activation
        self.up = nn.Linear(dim, hidden, bias=False)
        self.down = nn.Linear(hidden, dim, bias=False)
        self.num_chunks = num_chunks

    def forward(self, x_BLD: Tensor) -> Tensor:
        return in_chunks(self.whole, x_BLD, self.num_chunks)

    def whole(self, x_BLD: Tensor) -> Tensor:
        return self.down(self.activation(self.gate(x_BLD)) * self.up(x_BLD))


def in_chunks(network: Callable[[Tensor], Tensor], x: Tensor, num_chunks: int) -> Tensor:
    """`network(x)`, [..., D] -> [..., D], made piece by piece of the positions (Reformer, Kitaev et al. 2020,
    https://arxiv.org/abs/2001.04451).

    Each piece is computed once more for its gradient, so the hidden numbers of no more than one are there at a time.
    """
    if num_chunks == 1:
        return network(x)
    pieces = x.flatten(0, -2).chunk(num_chunks)
    if not torch.is_grad_enabled():
        return torch.cat([network(piece) for piece in pieces]).view_as(x)
    # nothing in it is drawn at random
    made = [checkpoint(network, piece, use_reentrant=False, preserve_rng_state=False) for piece in pieces]
    return torch.cat(made).view_as(x)


PLAIN: dict[str, Activation] = {"relu": F.relu, "gelu": F.gelu, "leaky_relu": F.leaky_relu}
GATED: dict[str, Activation] = {"glu": torch.sigmoid, "reglu": F.relu, "geglu": F.gelu, "swiglu": F.silu}


class FeedForwardConfig(Section):
    kind: Literal["relu", "gelu", "leaky_relu", "glu", "reglu", "geglu", "swiglu", "none"] = "swiglu"
    """Plain with the named activation, or gated by it; `none` leaves this branch out of the block, as HSTU does."""
    expansion: float = Field(default=4.0, gt=0.0, allow_inf_nan=False)
    """Hidden width as a multiple of the model's width."""
    chunks: PositiveInt = 1
    """In how many pieces of the positions it is computed. More than one saves memory in training, and costs a second
    forward pass through it; the outcome is the same."""

    def build(self, dim: int) -> nn.Module | None:
        if self.kind == "none":
            return None
        hidden = max(1, round(self.expansion * dim))
        if self.kind in GATED:
            return GatedFeedForward(dim, hidden, GATED[self.kind], num_chunks=self.chunks)
        return FeedForward(dim, hidden, PLAIN[self.kind], num_chunks=self.chunks)
