"""Layers whose inputs are worked out from their outputs: RevNet (Gomez et al. 2017, https://arxiv.org/abs/1707.04585)
as in the Reformer (Kitaev et al. 2020, https://arxiv.org/abs/2001.04451)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import get_device_states, set_device_states

from recsys.nn.block import Block, Branch
from recsys.nn.context import SequenceContext
from recsys.nn.depth.depth import Depth, DepthSection, Layer
from recsys.nn.norm import NormKind
from recsys.nn.residual import RESIDUALS, Additive, ResidualKind


@dataclass(frozen=True)
class Circumstances:
    """What a branch's outcome depends on besides its input and weights: random draws, and the type of its products."""

    device_type: str
    cpu_state: Tensor
    device_states: tuple[list[int], list[Tensor]]
    is_autocast: bool
    autocast_dtype: torch.dtype

    @classmethod
    def now(cls, x: Tensor) -> "Circumstances":
        kind = x.device.type
        enabled, dtype = torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)
        return cls(kind, torch.get_rng_state(), get_device_states(x), enabled, dtype)

    def autocast(self) -> torch.autocast:
        """Without its cache of weights: in older versions of torch what is cached while no gradient is wanted has none
        later (https://github.com/pytorch/pytorch/pull/165068)."""
        return torch.autocast(self.device_type, self.autocast_dtype, self.is_autocast, cache_enabled=False)

    @contextmanager
    def again(self) -> Iterator[None]:
        devices, states = self.device_states
        with torch.random.fork_rng(devices, device_type=self.device_type), self.autocast():
            torch.set_rng_state(self.cpu_state)
            set_device_states(devices, states, device_type=self.device_type)
            yield


@dataclass(frozen=True)
class Coupling:
    """first, second -> second, first + branch(second). A block is two of them, y1 = x1 + mixer(x2) and
    y2 = x2 + feedforward(y1), and a block without feed-forward one."""

    branch: Branch
    circumstances: Circumstances

    @classmethod
    def of(cls, branch: Branch, first: Tensor, second: Tensor) -> tuple["Coupling", Tensor, Tensor]:
        circumstances = Circumstances.now(second)
        with circumstances.autocast():
            return cls(branch, circumstances), second, first + branch(second)

    def undone(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The two streams before it, and what it added, with a graph that leads to the second of them."""
        read = first.detach().requires_grad_()
        with self.circumstances.again(), torch.enable_grad():
            added = self.branch(read)
        return second - added.detach(), read, added


class _Coupled(torch.autograd.Function):
    """The mean of both streams behind all branches; of what lies between nothing is kept."""

    @staticmethod
    def forward(ctx: Any, branches: Sequence[Branch], x: Tensor, *weights: nn.Parameter) -> Tensor:
        first = second = x
        ctx.couplings = []
        for branch in branches:
            coupling, first, second = Coupling.of(branch, first, second)
            ctx.couplings.append(coupling)
        ctx.weights = weights
        # the weights, too: torch then tells where one was written to since
        ctx.save_for_backward(first, second, *weights)
        return (first + second) / 2

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        first, second, *_ = ctx.saved_tensors
        grad_first = grad_second = grad / 2
        sums: dict[Tensor, Tensor] = {}
        for coupling in reversed(ctx.couplings):
            first, second, added = coupling.undone(first, second)
            trained = [weight for weight in coupling.branch.parameters if weight.requires_grad]
            grad_read, *grads = torch.autograd.grad(
                added, [second, *trained], grad_second.to(added.dtype), materialize_grads=True
            )
            grad_first, grad_second = grad_second, grad_first + grad_read
            for weight, one in zip(trained, grads, strict=True):
                sums[weight] = sums[weight] + one if weight in sums else one
        return None, grad_first + grad_second, *(sums.get(weight) for weight in ctx.weights)


# its random states and its backward pass are no graph for a compiler
coupled: Callable[..., Tensor] = torch.compiler.disable(_Coupled.apply)


class Reversible(Depth):
    """Two streams, both of them the input at first. In training it keeps them as they are at the end, O(B L D)
    whatever the number of layers, and goes through each layer forward once more for its gradient."""

    def forward(self, layers: Sequence[Layer], x_BLD: Tensor, context: SequenceContext) -> Tensor:
        branches = [branch for layer in layers if isinstance(layer, Block) for branch in layer.branches(context)]
        weights = dict.fromkeys(weight for branch in branches for weight in branch.parameters)
        return coupled(branches, x_BLD, *weights)


class ReversibleConfig(DepthSection):
    """`num_blocks` blocks of which training keeps no activations: memory for time.

    What went in is worked out but for rounding, so with `lsh`, where that moves some positions to other buckets,
    gradients in bf16 are off by some per cent.
    """

    kind: Literal["reversible"] = "reversible"

    def build(self, num_blocks: int, dim: int, norm: NormKind) -> Reversible:
        return Reversible()

    def require_fit(self, residual: ResidualKind) -> None:
        """ValueError where what a branch gave cannot be taken back."""
        if not issubclass(RESIDUALS[residual], Additive):
            raise ValueError(
                f"a reversible depth takes back what a branch has added, and {residual} is no sum: "
                "choose another residual or another depth"
            )
