"""Lightweight and dynamic convolutions (Wu et al. 2019, https://arxiv.org/abs/1901.10430): O(L W D), W taps."""

from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import PositiveInt
from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.mixer import PaddedMixer
from recsys.nn.mixers.mixer_config import HeadsSection
from recsys.nn.shape import SequenceShape

KernelKind = Literal["lightweight", "dynamic"]


class LightweightKernel(nn.Module):
    """The same taps at each position: a softmax of what is learned for a head."""

    def __init__(self, dim: int, num_heads: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.taps_HW = nn.Parameter(torch.randn(num_heads, size) * size**-0.5)

    def forward(self, v_BLD: Tensor, *, after: int) -> Tensor:
        """The kernel of a position ends `after` positions behind it; outside the row is zero."""
        taps_HW, dim = self.taps_HW.softmax(dim=-1), v_BLD.shape[-1]
        taps_D1W = taps_HW.repeat_interleave(dim // len(taps_HW), dim=0)[:, None]
        return F.conv1d(_surrounded(v_BLD, self.size, after).mT, taps_D1W, groups=dim).mT


class DynamicKernel(nn.Module):
    """Taps which each position names for itself."""

    def __init__(self, dim: int, num_heads: int, size: int) -> None:
        super().__init__()
        self.num_heads, self.size = num_heads, size
        self.to_taps = nn.Linear(dim, num_heads * size)

    def forward(self, v_BLD: Tensor, *, after: int) -> Tensor:
        """The kernel of a position ends `after` positions behind it; outside the row is zero."""
        length = v_BLD.shape[1]
        taps_BLHW = self.to_taps(v_BLD).unflatten(-1, (self.num_heads, -1)).softmax(dim=-1)
        around_BSHK = _surrounded(v_BLD, self.size, after).unflatten(-1, (self.num_heads, -1))
        # tap by tap: windows as one tensor would be W times as large, and slower too
        mixed_BLHK = torch.zeros_like(around_BSHK[:, :length])
        for first, taps_BLH in enumerate(taps_BLHW.unbind(dim=-1)):
            mixed_BLHK = mixed_BLHK + taps_BLH[..., None] * around_BSHK[:, first : first + length]
        return mixed_BLHK.flatten(-2)


def _surrounded(v_BLD: Tensor, size: int, after: int) -> Tensor:
    """[B, L + W - 1, D]: zeros before and behind, so that each position has a whole window."""
    return F.pad(v_BLD, (0, 0, size - 1 - after, after))


KERNELS: dict[KernelKind, type[LightweightKernel | DynamicKernel]] = {
    "lightweight": LightweightKernel,
    "dynamic": DynamicKernel,
}


class Convolution(PaddedMixer):
    """A weighted mean of the gated values in a window: the newest of them if causal, else those around a position.

    A window that reaches out of its row finds zeros there, whose taps count.
    """

    def __init__(self, dim: int, kernel: LightweightKernel | DynamicKernel) -> None:
        super().__init__()
        self.to_gated = nn.Linear(dim, 2 * dim, bias=False)
        self.kernel = kernel
        self.to_out = nn.Linear(dim, dim, bias=False)

    def mixed(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        valid_BL1 = context.valid_BL(x_BLD.shape[1])[..., None]
        v_BLD = F.glu(self.to_gated(x_BLD), dim=-1) * valid_BL1
        after = 0 if context.causal else (self.kernel.size - 1) // 2
        return self.to_out(self.kernel(v_BLD, after=after))


class KernelSection(HeadsSection):
    """What every mixer says that convolves. A head's channels share their taps."""

    kernel: KernelKind = "dynamic"
    """`lightweight` has the same taps at each position, `dynamic` those that the position itself asks for."""
    kernel_size: PositiveInt = 7
    """How many positions a position reads, itself among them."""

    def convolution(self, dim: int) -> Convolution:
        return Convolution(dim, KERNELS[self.kernel](dim, self.num_heads, self.kernel_size))


class ConvolutionConfig(KernelSection):
    flop_order: ClassVar[float] = 1.0
    memory_order: ClassVar[float] = 1.0
    kind: Literal["convolution"] = "convolution"

    def build(self, shape: SequenceShape) -> Convolution:
        return self.convolution(shape.dim)
