"""One learned vector per bucket of some time that belongs to a click."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from recsys.nn.context import SequenceContext

UNKNOWN = 0
"""The bucket of a click of which no time is told."""


class TimeBuckets(nn.Module, ABC):
    """Adds its bucket's vector to each click (as ATRank does, https://arxiv.org/abs/1711.06632)."""

    def __init__(self, dim: int, num_buckets: int) -> None:
        super().__init__()
        self.table_GD = nn.Parameter(torch.randn(num_buckets, dim) * dim**-0.5)

    @abstractmethod
    def buckets(self, context: SequenceContext) -> Tensor | None:
        """[B, L], or None where no times are given."""

    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """[B, L, D] -> [B, L, D], or [N, D] of packed rows."""
        buckets_BL = self.buckets(context)
        if buckets_BL is None:
            return x_BLD + self.table_GD[UNKNOWN]
        if context.untold_B1 is not None:
            buckets_BL = buckets_BL.masked_fill(context.untold_B1, UNKNOWN)
        if context.packing is not None:
            buckets_BL = context.packing.pack(buckets_BL)
        return x_BLD + nn.functional.embedding(buckets_BL, self.table_GD)


class NoTime(nn.Module):
    """Nothing is read of a time."""

    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        return x_BLD
