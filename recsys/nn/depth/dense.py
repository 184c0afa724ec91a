"""Layers that read all the layers before them: DLCL (Wang et al. 2019, https://arxiv.org/abs/1906.01787)."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.nn.depth.depth import Depth, DepthSection, Layer
from recsys.nn.norm import NormKind, build_norm


class Dense(Depth):
    """x_{l+1} = sum_k W_{l+1,k} norm_k(y_k) over y_0, what comes in, and y_k = layer_k(x_k); at the start a plain mean.

    What comes out is one more such sum. Every layer's output is kept: O(B L D) for each of them, in use as well.
    """

    def __init__(self, num_blocks: int, dim: int, norm: NormKind) -> None:
        super().__init__()
        self.norms = nn.ModuleList(build_norm(norm, dim) for _ in range(num_blocks + 1))
        self.weights = nn.ParameterList(torch.full((num,), 1 / num) for num in range(1, num_blocks + 2))

    def forward(self, layers: Sequence[Layer], x_BLD: Tensor, context: SequenceContext) -> Tensor:
        first_norm, *norms = self.norms
        first_weights, *weights = self.weights
        read = [first_norm(x_BLD)]
        x_BLD = weighted_sum(first_weights, read)
        for layer, norm, weights_K in zip(layers, norms, weights, strict=True):
            read.append(norm(layer(x_BLD, context)))
            x_BLD = weighted_sum(weights_K, read)
        return x_BLD


def weighted_sum(weights_K: Tensor, parts: Sequence[Tensor]) -> Tensor:
    """K numbers and K tensors -> one tensor."""
    total, *others = (weight * part for weight, part in zip(weights_K, parts, strict=True))
    for other in others:
        total = total + other
    return total


class DenseConfig(DepthSection):
    """`num_blocks` blocks, each of which reads a learned sum of all that was made before it."""

    kind: Literal["dense"] = "dense"

    def build(self, num_blocks: int, dim: int, norm: NormKind) -> Dense:
        return Dense(num_blocks, dim, norm)
