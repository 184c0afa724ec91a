"""Gaussian Transformer's attention (Guo et al. 2019, https://doi.org/10.1609/aaai.v33i01.33016489): near clicks count
more, by a bell whose width each head learns."""

from math import log
from typing import Literal

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor, nn

from recsys.nn.mixers.biased import Bias, BiasedAttention, Pairs
from recsys.nn.mixers.mixer_config import HeadsSection
from recsys.nn.shape import SequenceShape


class GaussianBias(Bias):
    """-|w d^2 + b| at distance d, w > 0 and b < 0. With b a position counts itself less than what is near it; without
    the absolute value b would be the same for all that is read, and so nothing."""

    def __init__(self, num_heads: int, *, width: float, offset: float) -> None:
        super().__init__()
        self.log_w_H = nn.Parameter(torch.full((num_heads,), -2.0 * log(width)))
        self.log_minus_b_H = nn.Parameter(torch.full((num_heads,), log(offset)))

    def forward(self, q_BHLK: Tensor, pairs: Pairs) -> Tensor:
        w_H11, b_H11 = self.log_w_H.exp()[:, None, None], -self.log_minus_b_H.exp()[:, None, None]
        return -(w_H11 * pairs.distances_BLS[:, None].square() + b_H11).abs()


class GaussianConfig(HeadsSection):
    kind: Literal["gaussian"] = "gaussian"
    width: float = Field(default=16.0, ge=0.1, le=1e6)
    """How far off a weight has fallen to about 1 / e, at first: w is 1 / width^2."""
    offset: PositiveFloat = 0.1
    """-b at first: by how much a position's score with itself is lowered."""

    def build(self, shape: SequenceShape) -> BiasedAttention:
        bias = GaussianBias(self.num_heads, width=self.width, offset=self.offset)
        return BiasedAttention(shape.dim, self.num_heads, bias)
