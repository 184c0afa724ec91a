"""Dilated causal convolution: NextItNet's (Yuan et al. 2019, https://arxiv.org/abs/1808.05163), with the gated linear
unit of ConvS2S (Gehring et al. 2017, https://arxiv.org/abs/1705.03122)."""

from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import PositiveInt
from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.mixer import PaddedMixer
from recsys.nn.mixers.mixer_config import MixerSection
from recsys.nn.shape import SequenceShape


class CausalCnn(PaddedMixer):
    """glu(conv(x)): a position reads itself and k - 1 earlier ones, `dilation` apart. O(L k D^2) time, O(L D) memory.

    Zeros stand before a row. What stands behind it is never read.
    """

    def __init__(self, dim: int, kernel_size: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(dim, 2 * dim, kernel_size, dilation=dilation)
        self.reach = (kernel_size - 1) * dilation

    def mixed(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        return F.glu(self.conv(F.pad(x_BLD.mT, (self.reach, 0))), dim=1).mT

    def last(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """What the last click reads, no more: O(k D^2) a row."""
        steps_W = torch.arange(self.reach, -1, -self.conv.dilation[0], device=x_BLD.device)
        read_BWD, is_there_BW = context.before_last(x_BLD, steps_W)
        return F.glu(F.conv1d((read_BWD * is_there_BW[..., None]).mT, self.conv.weight, self.conv.bias), dim=1).squeeze(
            -1
        )


class CausalCnnConfig(MixerSection):
    """A stack of such mixers reads num_blocks * (kernel_size - 1) * dilation clicks back; of these, every `dilation`-th
    one alone, for each block skips as many (NextItNet's blocks differ, and so skip nothing)."""

    causal_only: ClassVar[bool] = True
    flop_order: ClassVar[float] = 1.0
    memory_order: ClassVar[float] = 1.0
    kind: Literal["causal_cnn"] = "causal_cnn"
    kernel_size: PositiveInt = 3
    """How many positions a position reads, itself included."""
    dilation: PositiveInt = 1
    """How far apart they stand."""

    def build(self, shape: SequenceShape) -> CausalCnn:
        return CausalCnn(shape.dim, self.kernel_size, self.dilation)
