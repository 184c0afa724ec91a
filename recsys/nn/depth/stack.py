"""Blocks on top of each other: different ones, or one and the same again and again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from recsys.nn.block import Block
from recsys.nn.context import SequenceContext
from recsys.nn.depth.depth import Depth, DepthSection, Layer
from recsys.nn.norm import NormKind


class Stack(Depth):
    """Each layer reads what the one before it made."""

    def forward(self, layers: Sequence[Layer], x_BLD: Tensor, context: SequenceContext) -> Tensor:
        for layer in layers:
            x_BLD = layer(x_BLD, context)
        return x_BLD

    def last(self, layers: Sequence[Layer], x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """[B, D]: `forward` at each row's last click; the last layer computes no other."""
        if not layers:
            return context.last(x_BLD)
        *earlier, final = layers
        for layer in earlier:
            x_BLD = layer(x_BLD, context)
        return final.last(x_BLD, context)

    def beyond(self, layers: Sequence[Layer], x_BLD: Tensor, context: SequenceContext, targets_BND: Tensor) -> Tensor:
        """[B, N, D]: one layer reads a row once for all its targets."""
        if len(layers) != 1:
            return super().beyond(layers, x_BLD, context, targets_BND)
        (layer,) = layers
        return layer.beyond(x_BLD, context, targets_BND)


@dataclass(frozen=True)
class Step:
    """A block that is told which pass through it this is."""

    block: Block
    step_D: Tensor

    def __call__(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        return self.block(x_BLD + self.step_D, context)

    def last(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        return self.block.last(x_BLD + self.step_D, context)

    def beyond(self, x_BLD: Tensor, context: SequenceContext, targets_BND: Tensor) -> Tensor:
        return self.block.beyond(x_BLD + self.step_D, context, targets_BND + self.step_D)


class Shared(Stack):
    """One block T times, a learned vector added before each: the Universal Transformer (Dehghani et al. 2019,
    https://arxiv.org/abs/1807.03819), without its halting."""

    def __init__(self, num_steps: int, dim: int) -> None:
        super().__init__()
        self.steps_TD = nn.Parameter(torch.randn(num_steps, dim) * dim**-0.5)

    def layers(self, blocks: Sequence[Block]) -> list[Layer]:
        return [Step(block, step_D) for block in blocks for step_D in self.steps_TD]


class StackConfig(DepthSection):
    """`num_blocks` blocks, each with weights of its own."""

    kind: Literal["stack"] = "stack"

    def build(self, num_blocks: int, dim: int, norm: NormKind) -> Stack:
        return Stack()


class SharedConfig(DepthSection):
    """One block, applied `num_blocks` times."""

    kind: Literal["shared"] = "shared"

    def build(self, num_blocks: int, dim: int, norm: NormKind) -> Shared:
        return Shared(num_blocks, dim)

    def num_built(self, num_blocks: int) -> int:
        """One, where there are any layers."""
        return min(1, num_blocks)
