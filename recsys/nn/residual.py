"""How a branch of a block joins the residual stream. A branch is the mixer or the feed-forward."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from recsys.nn.dropout import Dropout

ResidualKind = Literal["gated", "pre_norm", "post_norm", "rezero"]


class Residual(nn.Module, ABC):
    """`read` is what the branch sees of the stream, `join` the stream with what the branch made of it.

    `leaves_a_raw_sum`: whether the stream behind the last block still wants a norm.
    """

    leaves_a_raw_sum: ClassVar[bool]

    def __init__(self, norm: nn.Module, dim: int, dropout: float) -> None:
        super().__init__()
        self.norm = norm
        self.dropout = Dropout(dropout)

    @abstractmethod
    def read(self, x: Tensor) -> Tensor:
        """[..., D] -> [..., D]"""

    @abstractmethod
    def join(self, x: Tensor, read: Tensor, branch: Tensor) -> Tensor:
        """Three of [..., D] -> [..., D]"""


class Additive(Residual):
    """What joins the stream is a sum, so it can be taken back."""

    leaves_a_raw_sum = True

    @abstractmethod
    def added(self, read: Tensor, branch: Tensor) -> Tensor:
        """Two of [..., D] -> [..., D]"""

    def join(self, x: Tensor, read: Tensor, branch: Tensor) -> Tensor:
        return x + self.added(read, branch)


class PreNorm(Additive):
    """x + F(norm(x)), Xiong et al. 2020 (https://arxiv.org/abs/2002.04745)."""

    def read(self, x: Tensor) -> Tensor:
        return self.norm(x)

    def added(self, read: Tensor, branch: Tensor) -> Tensor:
        return self.dropout(branch)


class PostNorm(Residual):
    """norm(x + F(x)), Vaswani et al. 2017 (https://arxiv.org/abs/1706.03762)."""

    leaves_a_raw_sum = False

    def read(self, x: Tensor) -> Tensor:
        return x

    def join(self, x: Tensor, read: Tensor, branch: Tensor) -> Tensor:
        return self.norm(x + self.dropout(branch))


class Gated(Additive):
    """x + sigmoid(norm(x) W + b) * F(norm(x)), LiGR's (Borisyuk et al. 2025, https://arxiv.org/abs/2502.03417)."""

    def __init__(self, norm: nn.Module, dim: int, dropout: float) -> None:
        super().__init__(norm, dim, dropout)
        self.gate = nn.Linear(dim, dim)

    def read(self, x: Tensor) -> Tensor:
        return self.norm(x)

    def added(self, read: Tensor, branch: Tensor) -> Tensor:
        return self.dropout(self.gate(read).sigmoid() * branch)


class ReZero(Additive):
    """x + alpha F(x), alpha = 0 at the start (Bachlechner et al. 2020, https://arxiv.org/abs/2003.04887).

    It needs no norm, within the blocks or behind them: a fresh stack of any depth is the identity.
    """

    leaves_a_raw_sum = False

    def __init__(self, norm: nn.Module, dim: int, dropout: float) -> None:
        super().__init__(nn.Identity(), dim, dropout)
        self.alpha = nn.Parameter(torch.zeros(()))

    def read(self, x: Tensor) -> Tensor:
        return x

    def added(self, read: Tensor, branch: Tensor) -> Tensor:
        return self.alpha * self.dropout(branch)


RESIDUALS: dict[ResidualKind, type[Residual]] = {
    "gated": Gated,
    "pre_norm": PreNorm,
    "post_norm": PostNorm,
    "rezero": ReZero,
}
