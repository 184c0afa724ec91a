"""Spans of time as a click's own: how long after the click before it it came, and how long after it the user is asked
about. In buckets that grow with the span. Knows times, not dates."""

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.section import Section

UNKNOWN = 0
"""The bucket of a window's first click, which has none before it, and of all clicks where no times are given."""
NUM_BUCKETS = 40
HIDDEN_SHARE = 0.1
"""Of the histories in training, whose spans are all unknown: so that a history without times can be read as well."""
TICKS_PER_SECOND = 1_000_000

Spans = Callable[[SequenceContext], Tensor | None]
"""[B, L] in ticks, negative where unknown; None where no times are given."""


def since_last_click(context: SequenceContext) -> Tensor | None:
    """A gap looks back, so none tells of a later click. Where a time falls, as at padding, it counts as 0."""
    if context.times_BL is None:
        return None
    return nn.functional.pad(context.times_BL.diff(dim=1).clamp(min=0), (1, 0), value=-1)


def until_asked(context: SequenceContext) -> Tensor | None:
    """From each click to the moment for which the next one is predicted."""
    if context.times_BL is None or context.asked_BL is None:
        return None
    return (context.asked_BL - context.times_BL).clamp(min=0)


def bucketed(spans_BL: Tensor, *, ticks: int) -> Tensor:
    """[B, L] -> [B, L]: 0 unknown, 1 less than a unit of so many ticks, then [1, 2), [2, 4), [4, 8) units ..."""
    exponents_BL = torch.frexp(spans_BL.div(ticks, rounding_mode="floor").double()).exponent.long()
    return (1 + exponents_BL).clamp(max=NUM_BUCKETS - 1).where(spans_BL >= 0, UNKNOWN)


class LogSpans(nn.Module):
    """One learned vector per bucket, added to the click (as ATRank's, https://arxiv.org/abs/1711.06632)."""

    def __init__(self, dim: int, ticks: int, spans: Spans) -> None:
        super().__init__()
        self.ticks = ticks
        self.spans = spans
        self.table_GD = nn.Parameter(torch.randn(NUM_BUCKETS, dim) * dim**-0.5)

    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """[B, L, D] -> [B, L, D], or [N, D] of packed rows."""
        spans_BL = self.spans(context)
        if spans_BL is None:
            return x_BLD + self.table_GD[UNKNOWN]
        buckets_BL = bucketed(spans_BL, ticks=self.ticks)
        if self.training:
            kept_B1 = torch.rand(len(buckets_BL), 1, device=buckets_BL.device) >= HIDDEN_SHARE
            buckets_BL = buckets_BL.where(kept_B1, UNKNOWN)
        if context.packing is not None:
            buckets_BL = context.packing.pack(buckets_BL)
        return x_BLD + nn.functional.embedding(buckets_BL, self.table_GD)


class NoSpans(nn.Module):
    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        return x_BLD


class LogSpansConfig(Section):
    """Spans in powers of two of a unit; what is shorter than the unit is all the same."""

    kind: Literal["log"] = "log"
    unit_seconds: PositiveFloat = 60.0
    """Below this a span tells nothing. As coarse as the log's own clock, or coarser."""

    @property
    def floor_seconds(self) -> float | None:
        return self.unit_seconds

    def build(self, dim: int, spans: Spans) -> LogSpans:
        return LogSpans(dim, max(1, round(self.unit_seconds * TICKS_PER_SECOND)), spans)


class NoSpansConfig(Section):
    kind: Literal["none"] = "none"

    @property
    def floor_seconds(self) -> None:
        """None is read."""
        return None

    def build(self, dim: int, spans: Spans) -> NoSpans:
        return NoSpans()


SpansConfig = Annotated[LogSpansConfig | NoSpansConfig, Field(discriminator="kind")]
