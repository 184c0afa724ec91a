"""Where in its window a click stands."""

from abc import ABC, abstractmethod
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.nn.sinusoids import sinusoids

PositionKind = Literal["start", "end", "sinusoidal", "none"]


class Positions(nn.Module, ABC):
    """Adds what a click's place tells to its embedding."""

    def __init__(self, max_length: int, dim: int) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """[B, L, D] -> [B, L, D], or [N, D] of packed rows."""


class LearnedPositions(Positions):
    """One learned vector per position."""

    def __init__(self, max_length: int, dim: int) -> None:
        super().__init__(max_length, dim)
        self.table_LD = nn.Parameter(torch.randn(max_length, dim) * dim**-0.5)


class StartPositions(LearnedPositions):
    """Counted from the window's start.

    Counting from the start keeps `encode(h)[t] == encode(h[: t + 1])[t]`: a later click moves no earlier position.
    """

    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        return from_start(self.table_LD, x_BLD, context)


class SinusoidalPositions(Positions):
    """Counted from the start, and not learned. Going k positions on turns each pair of waves by an angle of its own.

    As long as fresh learned ones: the waves' own length, sqrt(D / 2), would drown what is clicked.
    """

    table_LD: Tensor

    def __init__(self, max_length: int, dim: int) -> None:
        super().__init__(max_length, dim)
        waves_LD = sinusoids(torch.arange(max_length), dim, torch.get_default_dtype())
        self.register_buffer("table_LD", F.normalize(waves_LD, dim=-1), persistent=False)

    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        return from_start(self.table_LD, x_BLD, context)


class EndPositions(LearnedPositions):
    """Counted from the window's last click.

    What a position means then depends on the clicks behind it, so in training, where each position predicts, it tells
    how many of them follow.
    """

    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        return x_BLD + self.table_LD[context.clicks_behind(x_BLD.shape[1])]


class NoPositions(Positions):
    """The order of clicks tells only what is earlier, by causality, or what else the model is given of it."""

    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        return x_BLD


def from_start(table_LD: Tensor, x_BLD: Tensor, context: SequenceContext) -> Tensor:
    """Row t of the table added to what stands at t."""
    if context.packing is not None:
        return x_BLD + table_LD.index_select(0, context.packing.columns_N)
    return x_BLD + table_LD[: x_BLD.shape[1]]


POSITIONS: dict[PositionKind, type[Positions]] = {
    "start": StartPositions,
    "end": EndPositions,
    "sinusoidal": SinusoidalPositions,
    "none": NoPositions,
}
