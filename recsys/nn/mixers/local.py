"""Sliding-window attention, as in Longformer (Beltagy et al. 2020, https://arxiv.org/abs/2004.05150)."""

from typing import ClassVar, Literal

from pydantic import PositiveInt
from torch import Tensor

from recsys.nn.mixers.mixer_config import HeadsSection
from recsys.nn.mixers.windows import WindowAttention
from recsys.nn.shape import SequenceShape


class LocalAttention(WindowAttention):
    """A position reads itself and the window - 1 before it, and as many behind it without causality."""

    def __init__(self, dim: int, num_heads: int, window: int) -> None:
        super().__init__(dim, num_heads)
        self.window = window

    @property
    def reach(self) -> int:
        return self.window - 1

    def mask(self, distances_WS: Tensor, readable_NWS: Tensor) -> Tensor:
        return readable_NWS[:, None]


class LocalConfig(HeadsSection):
    """A stack of such mixers reads num_blocks * (window - 1) clicks back."""

    flop_order: ClassVar[float] = 1.0
    memory_order: ClassVar[float] = 1.0
    kind: Literal["local"] = "local"
    window: PositiveInt = 32
    """How many positions a position reads, itself included."""

    def build(self, shape: SequenceShape) -> LocalAttention:
        return LocalAttention(shape.dim, self.num_heads, self.window)
