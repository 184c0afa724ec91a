"""Spans of time as a click's own: how long after the click before it it came, and how long after it the user is asked
about. In buckets that grow with the span. Knows times, not dates."""

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.nn.time_buckets import UNKNOWN, NoTime, TimeBuckets
from recsys.section import Section

NUM_BUCKETS = 40
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


class LogSpans(TimeBuckets):
    def __init__(self, dim: int, ticks: int, spans: Spans) -> None:
        super().__init__(dim, NUM_BUCKETS)
        self.ticks = ticks
        self.spans = spans

    def buckets(self, context: SequenceContext) -> Tensor | None:
        spans_BL = self.spans(context)
        return None if spans_BL is None else bucketed(spans_BL, ticks=self.ticks)


class LogSpansConfig(Section):
    """Spans in powers of two of a unit; what is shorter than the unit is all the same."""

    kind: Literal["log"] = "log"
    unit_seconds: float = Field(default=60.0, gt=0.0, le=1e9)
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

    def build(self, dim: int, spans: Spans) -> NoTime:
        return NoTime()


SpansConfig = Annotated[LogSpansConfig | NoSpansConfig, Field(discriminator="kind")]
