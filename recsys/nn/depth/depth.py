"""How a stream goes through an encoder's blocks, one layer after the other."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from recsys.nn.block import Block
from recsys.nn.context import SequenceContext
from recsys.nn.mixers.mixer import with_target
from recsys.nn.norm import NormKind
from recsys.nn.residual import ResidualKind
from recsys.section import Section


class Layer(Protocol):
    """One pass through a block."""

    def __call__(self, x_BLD: Tensor, context: SequenceContext) -> Tensor: ...

    def last(self, x_BLD: Tensor, context: SequenceContext) -> Tensor: ...

    def beyond(self, x_BLD: Tensor, context: SequenceContext, targets_BND: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Skipped:
    """A layer left out: the stream goes by it."""

    def __call__(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        return x_BLD

    def last(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        return context.last(x_BLD)

    def beyond(self, x_BLD: Tensor, context: SequenceContext, targets_BND: Tensor) -> Tensor:
        return targets_BND


def thinned(layers: Sequence[Layer], share: float) -> list[Layer]:
    """Each layer is left out with probability `share`, for a whole batch: LayerDrop (Fan et al. 2020,
    https://arxiv.org/abs/1909.11556)."""
    kept = (torch.rand(len(layers)) >= share).tolist()
    return [layer if is_kept else Skipped() for layer, is_kept in zip(layers, kept, strict=True)]


class Depth(nn.Module, ABC):
    """Knows no blocks of its own: those that it is given are the encoder's."""

    def layers(self, blocks: Sequence[Block]) -> Sequence[Layer]:
        """The passes to make through the encoder's blocks."""
        return blocks

    @abstractmethod
    def forward(self, layers: Sequence[Layer], x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """[B, L, D] -> [B, L, D]"""

    def last(self, layers: Sequence[Layer], x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """[B, D]: `forward` at each row's last click."""
        return context.last(self(layers, x_BLD, context))

    def beyond(self, layers: Sequence[Layer], x_BLD: Tensor, context: SequenceContext, targets_BND: Tensor) -> Tensor:
        """[B, N, D]: `last` of each row with one of N targets behind it, without causality."""
        longer_BLD, longer_context = with_target(x_BLD, context.lengths_B, targets_BND)
        return self.last(layers, longer_BLD, longer_context).view_as(targets_BND)


class DepthSection(Section, ABC):
    """The base of every depth's configuration."""

    @abstractmethod
    def build(self, num_blocks: int, dim: int, norm: NormKind) -> Depth:
        """A fresh depth of so many layers."""

    def num_built(self, num_blocks: int) -> int:
        """How many blocks with weights of their own so many layers need."""
        return num_blocks

    def require_fit(self, residual: ResidualKind) -> None:
        """ValueError where blocks cannot join the stream so."""
