"""What every sequence mixer is to a block, whatever it does inside."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from recsys.nn.context import SequenceContext


class Mixer(nn.Module, ABC):
    """Lets the positions of a row read each other: the only part of a block that does."""

    @abstractmethod
    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """[B, L, D] -> [B, L, D]"""

    def last(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """[B, D]: `forward` at each row's last click. A mixer that need not compute the others says how."""
        return context.last(self(x_BLD, context))
