"""What every sequence mixer is to a block, whatever it does inside."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from recsys.nn.context import SequenceContext


class Mixer(nn.Module, ABC):
    """Lets the positions of a row read each other: the only part of a block that does."""

    reads_memory: ClassVar[bool] = False
    """Whether it reads `context.memory`, or knows of its rows alone."""
    memory: int = 0
    """How many positions before a row it wants kept."""

    @abstractmethod
    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """[B, L, D] -> [B, L, D]"""

    def penalty(self) -> Tensor | None:
        """What is added to the mean loss, if anything."""
        return None

    def measures(self) -> dict[str, float]:
        """What it has learned that a number tells, by name."""
        return {}

    def last(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """[B, D]: `forward` at each row's last click. A mixer that need not compute the others says how."""
        return context.last(self(x_BLD, context))

    def beyond(self, x_BLD: Tensor, context: SequenceContext, targets_BND: Tensor) -> Tensor:
        """[B, N, D]: `last` of each row with one of N targets behind it, and so N times as much work unless a mixer
        says how to read a row once. Without causality."""
        longer_BLD, longer_context = with_target(x_BLD, context.lengths_B, targets_BND)
        return self.last(longer_BLD, longer_context).view_as(targets_BND)


class PaddedMixer(Mixer):
    """A mixer that knows padded rows only; packed rows are padded for it meanwhile. Zero where there is padding."""

    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        if context.packing is not None:
            padded_BLD = context.packing.unpack(x_BLD)
            return context.packing.pack(self.mixed(padded_BLD, replace(context, packing=None)))
        return self.mixed(x_BLD, context) * context.valid_BL(x_BLD.shape[1])[..., None]

    @abstractmethod
    def mixed(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """[B, L, D] -> [B, L, D]; what it gives at padding does not count, but has to be finite."""


def with_target(x_BLD: Tensor, lengths_B: Tensor, targets_BND: Tensor) -> tuple[Tensor, SequenceContext]:
    """[B * N, L + 1, D]: each row with each of its N targets behind its last click, and what is known of them."""
    num_targets = targets_BND.shape[1]
    lengths_M = lengths_B.repeat_interleave(num_targets)
    padded_MLD = F.pad(x_BLD.repeat_interleave(num_targets, dim=0), (0, 0, 0, 1))
    places_M1D = lengths_M[:, None, None].expand(-1, 1, x_BLD.shape[-1])
    longer_MLD = padded_MLD.scatter(1, places_M1D, targets_BND.flatten(0, 1)[:, None])
    return longer_MLD, SequenceContext(lengths_M + 1, causal=False)
