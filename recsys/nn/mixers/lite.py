"""Lite Transformer's long-short range attention (Wu et al. 2020, https://arxiv.org/abs/2004.11886)."""

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.attention import SoftmaxAttention
from recsys.nn.mixers.convolution import KernelSection
from recsys.nn.mixers.mixer import Mixer
from recsys.nn.shape import SequenceShape


class SplitMixer(Mixer):
    """Each mixer has channels of its own, side by side; the feed-forward behind it brings them together."""

    def __init__(self, mixers: Sequence[Mixer], widths: Sequence[int]) -> None:
        super().__init__()
        self.mixers = nn.ModuleList(mixers)
        self.widths = list(widths)

    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        return torch.cat([mixer(part_BLD, context) for mixer, part_BLD in self._parts(x_BLD)], dim=-1)

    def last(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        return torch.cat([mixer.last(part_BLD, context) for mixer, part_BLD in self._parts(x_BLD)], dim=-1)

    def beyond(self, x_BLD: Tensor, context: SequenceContext, targets_BND: Tensor) -> Tensor:
        parts = zip(self._parts(x_BLD), targets_BND.split(self.widths, dim=-1), strict=True)
        return torch.cat([mixer.beyond(part_BLD, context, own_BND) for (mixer, part_BLD), own_BND in parts], dim=-1)

    def _parts(self, x_BLD: Tensor) -> Iterator[tuple[Mixer, Tensor]]:
        """Each mixer and its channels."""
        return zip(cast(Iterable[Mixer], self.mixers), x_BLD.split(self.widths, dim=-1), strict=True)


class LiteConfig(KernelSection):
    """The first channels attend to the whole row, the others are convolved with what is near. Each of the two parts
    has `num_heads`."""

    memory_order: ClassVar[float] = 1.0
    kind: Literal["lite"] = "lite"
    share: float = Field(default=0.5, ge=0.0, le=1.0)
    """Of the channels, how many attend: 1 is exact attention, 0 a convolution."""

    @property
    def has_halves(self) -> bool:
        return 0.0 < self.share < 1.0

    def build(self, shape: SequenceShape) -> SplitMixer:
        attending, convolved = self._widths(shape.dim)
        mixers: list[Mixer] = []
        if attending:
            mixers.append(SoftmaxAttention(attending, self.num_heads))
        if convolved:
            mixers.append(self.convolution(convolved))
        return SplitMixer(mixers, [width for width in (attending, convolved) if width])

    def require_fit(self, dim: int) -> None:
        """ValueError where the heads cannot share the channels that attend, or the others, evenly."""
        attending, convolved = self._widths(dim)
        is_lost = (attending == 0) != (self.share == 0.0) or (convolved == 0) != (self.share == 1.0)
        if is_lost or attending % self.num_heads or convolved % self.num_heads:
            raise ValueError(
                f"mixer.share ({self.share}) of dim ({dim}) leaves {attending} channels to attention and {convolved} "
                f"to the convolution: what has a share must have channels, divisible by mixer.num_heads "
                f"({self.num_heads}); change one of them"
            )

    def _widths(self, dim: int) -> tuple[int, int]:
        attending = round(self.share * dim)
        return attending, dim - attending
