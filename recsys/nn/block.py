"""The pre-norm Transformer block (Xiong et al. 2020, https://arxiv.org/abs/2002.04745)."""

from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.nn.dropout import Dropout
from recsys.nn.mixers.mixer import Mixer


class PreNormBlock(nn.Module):
    """Each branch reads a normalised copy and adds to the residual stream."""

    def __init__(
        self, mixer: Mixer, feedforward: nn.Module, *, norms: tuple[nn.Module, nn.Module], dropout: float
    ) -> None:
        super().__init__()
        self.mixer = mixer
        self.feedforward = feedforward
        self.norm_mixer, self.norm_feedforward = norms
        self.dropout = Dropout(dropout)

    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        x_BLD = x_BLD + self.dropout(self.mixer(self.norm_mixer(x_BLD), context))
        return x_BLD + self.dropout(self.feedforward(self.norm_feedforward(x_BLD)))

    def last(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """[B, D]: `forward` at each row's last click. The others are read, no more."""
        x_BD = context.last(x_BLD) + self.dropout(self.mixer.last(self.norm_mixer(x_BLD), context))
        return x_BD + self.dropout(self.feedforward(self.norm_feedforward(x_BD)))
