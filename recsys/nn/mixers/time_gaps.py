"""Attention that knows how long lies between two clicks, by the temporal half of the relative bias of Zhai et al. 2024
(https://arxiv.org/abs/2402.17152): a learned number for each head and power of two."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from recsys.nn.mixers.biased import Bias, BiasedAttention, Pairs, looked_up
from recsys.nn.mixers.mixer_config import HeadsSection
from recsys.nn.shape import SequenceShape
from recsys.nn.spans import NUM_BUCKETS, TICKS_PER_SECOND, bucketed
from recsys.nn.time_buckets import UNKNOWN


class TimeGaps(Bias):
    """Nothing at first. Where no times are told all pairs have the same bias, so it is softmax attention."""

    def __init__(self, num_heads: int, ticks: int) -> None:
        super().__init__()
        self.ticks = ticks
        self.table_GH = nn.Parameter(torch.zeros(NUM_BUCKETS, num_heads))

    def forward(self, q_BHLK: Tensor, pairs: Pairs) -> Tensor:
        apart_BLS = pairs.apart_BLS
        if apart_BLS is None:
            return self.table_GH[UNKNOWN][None, :, None, None]
        return looked_up(bucketed(apart_BLS, ticks=self.ticks), self.table_GH)


class TimeGapsConfig(HeadsSection):
    """Whichever click was first: a clock that was set back is read as one that was set forward."""

    kind: Literal["time_gaps"] = "time_gaps"
    reads_times: ClassVar[bool] = True
    unit_seconds: float = Field(default=60.0, gt=0.0, le=1e9)
    """What is closer than this is all the same. As coarse as the log's own clock, or coarser."""

    def build(self, shape: SequenceShape) -> BiasedAttention:
        bias = TimeGaps(self.num_heads, max(1, round(self.unit_seconds * TICKS_PER_SECOND)))
        return BiasedAttention(shape.dim, self.num_heads, bias)
