"""Relative keys (Shaw et al. 2018, https://arxiv.org/abs/1803.02155): a learned vector for each distance."""

from typing import Literal

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from recsys.nn.mixers.biased import Bias, BiasedAttention, Pairs
from recsys.nn.mixers.mixer_config import HeadsSection
from recsys.nn.shape import SequenceShape


class RelativeKeys(Bias):
    """q . a_d / sqrt(K), with a of the distance, clipped, and the same for all heads; nothing at first.

    A query meets each of the R vectors once and its scores are picked from that: O(B H L R), no vector for each pair.
    """

    def __init__(self, width: int, max_distance: int) -> None:
        super().__init__()
        self.max_distance = max_distance
        self.table_RK = nn.Parameter(torch.zeros(2 * max_distance + 1, width))

    def forward(self, q_BHLK: Tensor, pairs: Pairs) -> Tensor:
        by_distance_BHLR = q_BHLK @ self.table_RK.mT * q_BHLK.shape[-1] ** -0.5
        index_BLS = pairs.distances_BLS.clamp(-self.max_distance, self.max_distance) + self.max_distance
        return by_distance_BHLR.gather(-1, index_BLS[:, None].expand(*by_distance_BHLR.shape[:3], -1))


class ShawConfig(HeadsSection):
    kind: Literal["shaw"] = "shaw"
    max_distance: PositiveInt = 64
    """Positions farther apart than this all share one vector."""

    def build(self, shape: SequenceShape) -> BiasedAttention:
        bias = RelativeKeys(shape.dim // self.num_heads, self.max_distance)
        return BiasedAttention(shape.dim, self.num_heads, bias)
