"""Pointwise aggregated attention of the Hierarchical Sequential Transduction Unit, without a softmax (Zhai et al. 2024,
https://arxiv.org/abs/2402.17152)."""

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import PositiveInt
from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.attention import merge_heads, split_heads
from recsys.nn.mixers.mixer import PaddedMixer
from recsys.nn.mixers.mixer_config import HeadsSection
from recsys.nn.shape import SequenceShape

EPSILON = 1e-6
"""Of the norm. A fresh mixer that reads one position gives it a variance of some 1e-4."""


class Hstu(PaddedMixer):
    """U, V, Q, K = silu(x W), A = silu(Q K^T / sqrt(K) + bias), Y = (norm(A V) * U) W'.

    The paper divides A by n, and scores by nothing. What `norm` gives is the same for any divisor, as long as its
    epsilon is small beside what it is given, and a mean of small numbers is not: so the sum stays undivided. `bias` is
    a number for each head and distance; that of times, of the paper's relative bias, is left to what is embedded. The
    scores of all pairs are held, O(B H L^2) memory, in training several times.
    """

    def __init__(self, dim: int, num_heads: int, max_distance: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.max_distance = max_distance
        self.to_uvqk = nn.Linear(dim, 4 * dim, bias=False)
        self.bias_RH = nn.Parameter(torch.zeros(2 * max_distance + 1, num_heads))
        self.norm = nn.LayerNorm(dim, eps=EPSILON)
        self.to_out = nn.Linear(dim, dim, bias=False)

    def mixed(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        length = x_BLD.shape[1]
        u_BLD, *parts = F.silu(self.to_uvqk(x_BLD)).chunk(4, dim=-1)
        v_BHLK, q_BHLK, k_BHLK = (split_heads(part, self.num_heads) for part in parts)
        scores_BHLL = q_BHLK @ k_BHLK.mT * q_BHLK.shape[-1] ** -0.5 + self.bias_HLL(length)
        weights_BHLL = F.silu(scores_BHLL) * context.readable_BLL(length)[:, None]
        return self.to_out(self.norm(merge_heads(weights_BHLL @ v_BHLK)) * u_BLD)

    def last(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """One query a row: O(B H L) scores."""
        u_DD, v_DD, q_DD, k_DD = self.to_uvqk.weight.chunk(4)
        u_BD, q_BD = (F.silu(F.linear(context.last(x_BLD), weight_DD)) for weight_DD in (u_DD, q_DD))
        v_BHLK, k_BHLK = (split_heads(F.silu(F.linear(x_BLD, part)), self.num_heads) for part in (v_DD, k_DD))
        q_BH1K = split_heads(q_BD[:, None], self.num_heads)
        distances_BL = context.lengths_B[:, None] - 1 - context.columns(x_BLD.shape[1])
        bias_BH1L = self.bias_of(distances_BL).permute(0, 2, 1)[:, :, None]
        scores_BH1L = q_BH1K @ k_BHLK.mT * q_BH1K.shape[-1] ** -0.5 + bias_BH1L
        valid_B11L = context.valid_BL(x_BLD.shape[1])[:, None, None]
        mixed_BHK = (F.silu(scores_BH1L) * valid_B11L @ v_BHLK).squeeze(2)
        return self.to_out(self.norm(mixed_BHK.flatten(1)) * u_BD)

    def bias_HLL(self, length: int) -> Tensor:
        """What each query (rows) adds to its score with each key: the same along a diagonal."""
        distances_M = torch.arange(length - 1, -length, -1, device=self.bias_RH.device)
        windows_HLL = self.bias_of(distances_M).T.unfold(1, length, 1)
        return windows_HLL.flip(1)

    def bias_of(self, distances: Tensor) -> Tensor:
        """[...] -> [..., H], of how far before its query a key stands; negative where behind."""
        clipped = distances.clamp(-self.max_distance, self.max_distance)
        return F.embedding(clipped + self.max_distance, self.bias_RH)


class HstuConfig(HeadsSection):
    """Made to stand alone, with feedforward.kind none."""

    kind: Literal["hstu"] = "hstu"
    max_distance: PositiveInt = 128
    """Positions farther apart than this all share one bias."""

    def build(self, shape: SequenceShape) -> Hstu:
        return Hstu(shape.dim, self.num_heads, self.max_distance)
