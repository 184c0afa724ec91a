"""The Transformer block: positions read each other, then each is transformed on its own."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.mixer import Mixer
from recsys.nn.residual import Additive, Residual


@dataclass(frozen=True)
class Branch:
    """What `network` makes of a stream and `residual` would add to one."""

    residual: Residual
    network: nn.Module
    told: tuple[SequenceContext, ...] = ()

    def __call__(self, x_BLD: Tensor) -> Tensor:
        assert isinstance(self.residual, Additive), "a branch that can be taken back is added"
        read_BLD = self.residual.read(x_BLD)
        return self.residual.added(read_BLD, self.network(read_BLD, *self.told))

    @property
    def parameters(self) -> list[nn.Parameter]:
        return [*self.residual.parameters(), *self.network.parameters()]


class Block(nn.Module, ABC):
    """A mixer, joined to the stream by a residual, and what is done to each position then."""

    mixer: Mixer
    mixing: Residual

    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        read_BLD = self.mixing.read(x_BLD)
        return self.transformed(self.mixing.join(x_BLD, read_BLD, self.mixer(read_BLD, context)))

    def last(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """[B, D]: `forward` at each row's last click. The others are read, no more."""
        read_BLD = self.mixing.read(x_BLD)
        mixed_BD = self.mixer.last(read_BLD, context)
        return self.transformed(self.mixing.join(context.last(x_BLD), context.last(read_BLD), mixed_BD))

    def beyond(self, x_BLD: Tensor, context: SequenceContext, targets_BND: Tensor) -> Tensor:
        """[B, N, D]: what each of N targets would become as the next position of its row, were it alone there."""
        read_BLD, own_BND = self.mixing.read(x_BLD), self.mixing.read(targets_BND)
        mixed_BND = self.mixer.beyond(read_BLD, context, own_BND)
        return self.transformed(self.mixing.join(targets_BND, own_BND, mixed_BND))

    @abstractmethod
    def transformed(self, x: Tensor) -> Tensor:
        """[..., D] -> [..., D]"""

    @abstractmethod
    def branches(self, context: SequenceContext) -> list[Branch]:
        """What the block adds to the stream, in order."""


class MixingBlock(Block):
    """A mixer that needs no feed-forward behind it."""

    def __init__(self, mixer: Mixer, *, mixing: Residual) -> None:
        super().__init__()
        self.mixer = mixer
        self.mixing = mixing

    def transformed(self, x: Tensor) -> Tensor:
        return x

    def branches(self, context: SequenceContext) -> list[Branch]:
        return [Branch(self.mixing, self.mixer, (context,))]


class TransformerBlock(Block):
    """Two branches, each joined to the stream by a residual of its own."""

    def __init__(self, mixer: Mixer, feedforward: nn.Module, *, mixing: Residual, transforming: Residual) -> None:
        super().__init__()
        self.mixer = mixer
        self.feedforward = feedforward
        self.mixing = mixing
        self.transforming = transforming

    def transformed(self, x: Tensor) -> Tensor:
        read = self.transforming.read(x)
        return self.transforming.join(x, read, self.feedforward(read))

    def branches(self, context: SequenceContext) -> list[Branch]:
        return [Branch(self.mixing, self.mixer, (context,)), Branch(self.transforming, self.feedforward)]
