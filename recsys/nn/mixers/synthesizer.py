"""Synthesizer (Tay et al. 2020, https://arxiv.org/abs/2005.00743): weights that no query and key had to agree on.

N positions of the longest row, R the rank of a factorisation.
"""

from typing import Literal

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.attention import merge_heads, split_heads
from recsys.nn.mixers.mixer import PaddedMixer
from recsys.nn.mixers.mixer_config import HeadsSection
from recsys.nn.shape import SequenceShape


class DenseScores(nn.Module):
    """relu(x W1) W2 + b: each position says of itself how much it reads at each place."""

    def __init__(self, dim: int, num_heads: int, max_length: int) -> None:
        super().__init__()
        width = dim // num_heads
        self.num_heads = num_heads
        self.to_hidden = nn.Linear(dim, dim)
        self.places_HKN = nn.Parameter(torch.randn(num_heads, width, max_length) * width**-0.5)
        self.bias_HN = nn.Parameter(torch.zeros(num_heads, max_length))

    def forward(self, x_BLD: Tensor) -> Tensor:
        """[B, H, L, L]"""
        length = x_BLD.shape[1]
        hidden_BHLK = split_heads(self.to_hidden(x_BLD).relu(), self.num_heads)
        return hidden_BHLK @ self.places_HKN[..., :length] + self.bias_HN[:, None, :length]


class RandomScores(nn.Module):
    """Random at first, learned, and the same for all rows."""

    def __init__(self, num_heads: int, max_length: int) -> None:
        super().__init__()
        self.scores_HNN = nn.Parameter(torch.randn(num_heads, max_length, max_length) * max_length**-0.5)

    def forward(self, x_BLD: Tensor) -> Tensor:
        """[H, L, L]"""
        length = x_BLD.shape[1]
        return self.scores_HNN[:, :length, :length]


class FactorisedScores(nn.Module):
    """`RandomScores` as the product of two narrow matrices: 2 N R numbers a head in the place of N^2."""

    def __init__(self, num_heads: int, max_length: int, rank: int) -> None:
        super().__init__()
        scale = (rank * max_length) ** -0.25
        self.readers_HNR = nn.Parameter(torch.randn(num_heads, max_length, rank) * scale)
        self.sources_HNR = nn.Parameter(torch.randn(num_heads, max_length, rank) * scale)

    def forward(self, x_BLD: Tensor) -> Tensor:
        """[H, L, L]"""
        length = x_BLD.shape[1]
        return self.readers_HNR[:, :length] @ self.sources_HNR[:, :length].mT


Scores = DenseScores | RandomScores | FactorisedScores


class Synthesizer(PaddedMixer):
    """A softmax over `scores` of what may be read. A row uses the first places of the longest that there can be."""

    def __init__(self, dim: int, num_heads: int, scores: Scores, max_length: int) -> None:
        super().__init__()
        self.num_heads, self.max_length = num_heads, max_length
        self.scores = scores
        self.to_v = nn.Linear(dim, dim, bias=False)
        self.to_out = nn.Linear(dim, dim, bias=False)

    def mixed(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        v_BHLK = split_heads(self.to_v(x_BLD), self.num_heads)
        # unlike `@`, this copies no weights for each row where all rows have the same
        mixed_BHLK = torch.einsum("...hls,...hsk->...hlk", self.weights(x_BLD, context), v_BHLK)
        return self.to_out(merge_heads(mixed_BHLK))

    def weights(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """[B, H, L, L], or [H, L, L] where all rows have the same."""
        length = x_BLD.shape[1]
        if length > self.max_length:
            raise ValueError(
                f"a synthesizer built for rows of at most {self.max_length} positions was given {length}: "
                "shorten the rows, or build the model with a larger max_length"
            )
        return self.scores(x_BLD).masked_fill(~self._readable(context, length), float("-inf")).softmax(dim=-1)

    def _readable(self, context: SequenceContext, length: int) -> Tensor:
        """[L, L] if causal, since padding is later than all that counts; else [B, 1, L, L]."""
        if not context.causal:
            return context.readable_BLL(length)[:, None]
        columns_L = context.columns(length)
        return columns_L <= columns_L[:, None]


class SynthesizerConfig(HeadsSection):
    """For short rows: O(L^2), and a weight learned for each place of the longest."""

    kind: Literal["synthesizer"] = "synthesizer"
    scores: Literal["dense", "random", "factorised"] = "dense"
    """`dense` are made from the position that reads; `random` are the same for all rows, and begin as noise;
    `factorised` are such of a low rank."""
    rank: PositiveInt = 8
    """Of `factorised` scores."""

    def build(self, shape: SequenceShape) -> Synthesizer:
        return Synthesizer(shape.dim, self.num_heads, self._build_scores(shape), shape.max_length)

    def _build_scores(self, shape: SequenceShape) -> Scores:
        if self.scores == "dense":
            return DenseScores(shape.dim, self.num_heads, shape.max_length)
        if self.scores == "random":
            return RandomScores(self.num_heads, shape.max_length)
        return FactorisedScores(self.num_heads, shape.max_length, self.rank)
