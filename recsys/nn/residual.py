"""How a branch of a block joins the residual stream. A branch is the mixer or the feed-forward."""

from abc import ABC, abstractmethod
from typing import Literal

from torch import Tensor, nn

from recsys.nn.dropout import Dropout

ResidualKind = Literal["gated", "pre_norm", "post_norm"]


class Residual(nn.Module, ABC):
    """`read` is what the branch sees of the stream, `join` the stream with what the branch made of it."""

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


class PreNorm(Residual):
    """x + F(norm(x)), Xiong et al. 2020 (https://arxiv.org/abs/2002.04745)."""

    def read(self, x: Tensor) -> Tensor:
        return self.norm(x)

    def join(self, x: Tensor, read: Tensor, branch: Tensor) -> Tensor:
        return x + self.dropout(branch)


class PostNorm(Residual):
    """norm(x + F(x)), Vaswani et al. 2017 (https://arxiv.org/abs/1706.03762)."""

    def read(self, x: Tensor) -> Tensor:
        return x

    def join(self, x: Tensor, read: Tensor, branch: Tensor) -> Tensor:
        return self.norm(x + self.dropout(branch))


class Gated(Residual):
    """x + sigmoid(norm(x) W + b) * F(norm(x)), LiGR's (Borisyuk et al. 2025, https://arxiv.org/abs/2502.03417)."""

    def __init__(self, norm: nn.Module, dim: int, dropout: float) -> None:
        super().__init__(norm, dim, dropout)
        self.gate = nn.Linear(dim, dim)

    def read(self, x: Tensor) -> Tensor:
        return self.norm(x)

    def join(self, x: Tensor, read: Tensor, branch: Tensor) -> Tensor:
        return x + self.dropout(self.gate(read).sigmoid() * branch)


RESIDUALS: dict[ResidualKind, type[Residual]] = {"gated": Gated, "pre_norm": PreNorm, "post_norm": PostNorm}
