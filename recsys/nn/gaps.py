"""How long after the click before it a click came, in buckets that grow with the gap. Knows times, not dates."""

from typing import Annotated, Literal

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.section import Section

UNKNOWN = 0
"""The bucket of a window's first click, and of all clicks where no times are given."""
NUM_BUCKETS = 40
HIDDEN_SHARE = 0.1
"""Of the histories in training, whose gaps are all unknown: so that a history without times can be read as well."""
TICKS_PER_SECOND = 1_000_000


def gap_buckets(times_BL: Tensor, *, ticks: int) -> Tensor:
    """[B, L] times -> [B, L] buckets: 0 unknown, 1 less than a unit of so many ticks, then [1, 2), [2, 4), [4, 8) ...

    A gap looks back, so no bucket tells of a later click. Where a time falls, as at padding, the gap counts as none.
    """
    units_BL = times_BL.diff(dim=1).clamp(min=0).div(ticks, rounding_mode="floor")
    exponents_BL = torch.frexp(units_BL.double()).exponent.long()
    return nn.functional.pad((1 + exponents_BL).clamp(max=NUM_BUCKETS - 1), (1, 0), value=UNKNOWN)


class LogGaps(nn.Module):
    """One learned vector per bucket, added to the click that ends the gap (as ATRank's, https://arxiv.org/abs/1711.06632)."""

    def __init__(self, dim: int, ticks: int) -> None:
        super().__init__()
        self.ticks = ticks
        self.table_GD = nn.Parameter(torch.randn(NUM_BUCKETS, dim) * dim**-0.5)

    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """[B, L, D] -> [B, L, D], or [N, D] of packed rows."""
        if context.times_BL is None:
            return x_BLD + self.table_GD[UNKNOWN]
        buckets_BL = gap_buckets(context.times_BL, ticks=self.ticks)
        if self.training:
            kept_B1 = torch.rand(len(buckets_BL), 1, device=buckets_BL.device) >= HIDDEN_SHARE
            buckets_BL = buckets_BL.where(kept_B1, UNKNOWN)
        if context.packing is not None:
            buckets_BL = context.packing.pack(buckets_BL)
        return x_BLD + nn.functional.embedding(buckets_BL, self.table_GD)


class NoGaps(nn.Module):
    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        return x_BLD


class LogGapsConfig(Section):
    """Gaps in powers of two of a unit; what is shorter than the unit is all the same."""

    kind: Literal["log"] = "log"
    unit_seconds: PositiveFloat = 60.0
    """Below this a gap tells nothing. As coarse as the log's own clock, or coarser."""

    @property
    def floor_seconds(self) -> float | None:
        return self.unit_seconds

    def build(self, dim: int) -> LogGaps:
        return LogGaps(dim, max(1, round(self.unit_seconds * TICKS_PER_SECOND)))


class NoGapsConfig(Section):
    kind: Literal["none"] = "none"

    @property
    def floor_seconds(self) -> None:
        """No gap is read."""
        return None

    def build(self, dim: int) -> NoGaps:
        return NoGaps()


GapsConfig = Annotated[LogGapsConfig | NoGapsConfig, Field(discriminator="kind")]
