"""When in the life of the log a click happened: what is new, and what is in season, is liked then and not before."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from recsys.nn.context import SequenceContext
from recsys.nn.time_buckets import NoTime, TimeBuckets
from recsys.section import Section


class Calendar(TimeBuckets):
    """Equal stretches of the time in which training clicks happened; what comes later counts to the last of them."""

    begin: Tensor
    end: Tensor

    def __init__(self, dim: int, num_stretches: int) -> None:
        super().__init__(dim, 1 + num_stretches)
        self.num_stretches = num_stretches
        self.register_buffer("begin", torch.tensor(0))
        self.register_buffer("end", torch.tensor(1))

    def assign(self, begin: int, end: int) -> None:
        """The first and the last training click's time, in microseconds."""
        self.begin.fill_(begin)
        self.end.fill_(max(end, begin + 1))

    def buckets(self, context: SequenceContext) -> Tensor | None:
        if context.times_BL is None:
            return None
        done_BL = (context.times_BL - self.begin).double() / (self.end - self.begin)
        return 1 + (done_BL * self.num_stretches).long().clamp(0, self.num_stretches - 1)


class StretchesConfig(Section):
    """In which of so many equal stretches of the training log each click happened."""

    kind: Literal["stretches"] = "stretches"
    num_stretches: int = Field(default=16, ge=2, le=1_000)

    def build(self, dim: int) -> Calendar:
        return Calendar(dim, self.num_stretches)


class NoCalendarConfig(Section):
    kind: Literal["none"] = "none"

    @property
    def num_stretches(self) -> int:
        """When is not read."""
        return 0

    def build(self, dim: int) -> NoTime:
        return NoTime()


CalendarConfig = Annotated[StretchesConfig | NoCalendarConfig, Field(discriminator="kind")]
