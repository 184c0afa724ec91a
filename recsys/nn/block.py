"""The Transformer block: positions read each other, then each is transformed on its own."""

from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.mixer import Mixer
from recsys.nn.residual import Residual


class Block(nn.Module):
    """Two branches, each joined to the stream by a residual of its own."""

    def __init__(self, mixer: Mixer, feedforward: nn.Module, *, mixing: Residual, transforming: Residual) -> None:
        super().__init__()
        self.mixer = mixer
        self.feedforward = feedforward
        self.mixing = mixing
        self.transforming = transforming

    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        read_BLD = self.mixing.read(x_BLD)
        return self._transformed(self.mixing.join(x_BLD, read_BLD, self.mixer(read_BLD, context)))

    def last(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """[B, D]: `forward` at each row's last click. The others are read, no more."""
        read_BLD = self.mixing.read(x_BLD)
        mixed_BD = self.mixer.last(read_BLD, context)
        return self._transformed(self.mixing.join(context.last(x_BLD), context.last(read_BLD), mixed_BD))

    def beyond(self, x_BLD: Tensor, context: SequenceContext, targets_BND: Tensor) -> Tensor:
        """[B, N, D]: what each of N targets would become as the next position of its row, were it alone there."""
        read_BLD, own_BND = self.mixing.read(x_BLD), self.mixing.read(targets_BND)
        mixed_BND = self.mixer.beyond(read_BLD, context, own_BND)
        return self._transformed(self.mixing.join(targets_BND, own_BND, mixed_BND))

    def _transformed(self, x: Tensor) -> Tensor:
        read = self.transforming.read(x)
        return self.transforming.join(x, read, self.feedforward(read))
