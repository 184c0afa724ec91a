"""T5's relative positions (Raffel et al. 2020, https://arxiv.org/abs/1910.10683): a learned number for each head and
bucket of distances, and the buckets grow with the distance."""

from math import log
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from recsys.nn.mixers.biased import Bias, BiasedAttention, Pairs, looked_up
from recsys.nn.mixers.mixer_config import HeadsSection
from recsys.nn.shape import SequenceShape


def distance_buckets(num_buckets: int, max_distance: int) -> list[int]:
    """The bucket of each distance up to the largest: half have a bucket each, the others are even in its logarithm."""
    num_exact = num_buckets // 2
    per_log = (num_buckets - num_exact) / log(max_distance / num_exact)
    # rounded, lest an exact power fall into the bucket below its own
    grown = [int(round(log(distance / num_exact) * per_log, 9)) for distance in range(num_exact, max_distance + 1)]
    return [*range(num_exact), *(min(num_exact + steps, num_buckets - 1) for steps in grown)]


class DistanceBuckets(Bias):
    """Nothing at first. What stands behind a query has buckets of its own, after those of what stands before it."""

    bucket_R: Tensor

    def __init__(self, num_heads: int, num_buckets: int, max_distance: int) -> None:
        super().__init__()
        self.num_buckets, self.max_distance = num_buckets, max_distance
        bucket_R = torch.tensor(distance_buckets(num_buckets, max_distance))
        self.register_buffer("bucket_R", bucket_R, persistent=False)
        self.table_GH = nn.Parameter(torch.zeros(2 * num_buckets, num_heads))

    def forward(self, q_BHLK: Tensor, pairs: Pairs) -> Tensor:
        return looked_up(self.buckets(pairs.distances_BLS), self.table_GH)

    def buckets(self, distances: Tensor) -> Tensor:
        """Of the same shape."""
        return self.bucket_R[distances.abs().clamp(max=self.max_distance)] + self.num_buckets * (distances < 0)


class BucketedConfig(HeadsSection):
    kind: Literal["bucketed"] = "bucketed"
    num_buckets: int = Field(default=32, ge=2)
    """Of what stands before a position, and as many of what stands behind it. The nearest half hold one distance."""
    max_distance: int = Field(default=128, ge=2)
    """Positions at least this far apart all share the last bucket."""

    @model_validator(mode="after")
    def distances_are_more_than_their_buckets(self) -> Self:
        if self.max_distance <= self.num_buckets // 2:
            raise ValueError(
                f"max_distance ({self.max_distance}) must be more than half of num_buckets ({self.num_buckets}), which "
                f"hold one distance each; change one of the two"
            )
        return self

    def build(self, shape: SequenceShape) -> BiasedAttention:
        bias = DistanceBuckets(self.num_heads, self.num_buckets, self.max_distance)
        return BiasedAttention(shape.dim, self.num_heads, bias)
