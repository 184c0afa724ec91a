"""Where in the sequence an event stands, as BST has it: an embedding beside the others, not added to them.

A position is an index per event: [H, L] for the history, and one for the target.
"""

from typing import Annotated, Literal, Protocol

import torch
from pydantic import Field
from torch import Tensor

from recsys.data.example_batches import Moments
from recsys.nn.spans import NUM_BUCKETS, TICKS_PER_SECOND, bucketed
from recsys.section import Section


class Placement(Protocol):
    """Positions of the clicks of histories, below `num_positions`; `target` is that of the target alone."""

    num_positions: int
    target: int

    def __call__(self, moments: Moments) -> Tensor:
        """-> [H, L]"""


class ByTime:
    """pos(v) = t(target) - t(v), the paper's, in powers of two of a unit."""

    num_positions, target = NUM_BUCKETS + 1, NUM_BUCKETS

    def __init__(self, ticks: int) -> None:
        self.ticks = ticks

    def __call__(self, moments: Moments) -> Tensor:
        return bucketed(moments.ages_HL, ticks=self.ticks)


class ByIndex:
    """How many clicks before the target: 1 for the last."""

    def __init__(self, max_length: int) -> None:
        self.num_positions, self.target = max_length + 1, 0

    def __call__(self, moments: Moments) -> Tensor:
        columns_L = torch.arange(moments.items_HL.shape[1], device=moments.items_HL.device)
        return (moments.lengths_H[:, None] - columns_L).clamp(min=1)


class ByTimeConfig(Section):
    """The time from each event to the target, in powers of two of a unit."""

    kind: Literal["time"] = "time"
    unit_seconds: float = Field(default=60.0, gt=0.0, le=1e9)
    """Below this a difference tells nothing. As coarse as the log's own clock, or coarser."""

    def build(self, max_length: int) -> Placement:
        return ByTime(max(1, round(self.unit_seconds * TICKS_PER_SECOND)))


class ByIndexConfig(Section):
    """How many events before the target."""

    kind: Literal["index"] = "index"

    def build(self, max_length: int) -> Placement:
        return ByIndex(max_length)


class NoPlacementConfig(Section):
    kind: Literal["none"] = "none"

    def build(self, max_length: int) -> None:
        return None


PlacementConfig = Annotated[ByTimeConfig | ByIndexConfig | NoPlacementConfig, Field(discriminator="kind")]
