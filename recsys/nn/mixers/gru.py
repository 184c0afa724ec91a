"""A recurrent network in the place of attention, as in GRU4Rec (Hidasi et al. 2015, https://arxiv.org/abs/1511.06939)."""

from typing import ClassVar, Literal

from pydantic import PositiveInt
from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.mixer import PaddedMixer
from recsys.nn.mixers.mixer_config import MixerSection
from recsys.nn.shape import SequenceShape


class Gru(PaddedMixer):
    """Gated recurrent units (Cho et al. 2014, https://arxiv.org/abs/1406.1078) as wide as the model: O(L) time, one
    position after the other. What stands behind a row is read after it, and so changes nothing."""

    def __init__(self, dim: int, num_layers: int) -> None:
        super().__init__()
        self.gru = nn.GRU(dim, dim, num_layers, batch_first=True)

    def mixed(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        states_BLD, _ = self.gru(x_BLD)
        return states_BLD


class GruConfig(MixerSection):
    causal_only: ClassVar[bool] = True
    flop_order: ClassVar[float] = 1.0
    memory_order: ClassVar[float] = 1.0
    kind: Literal["gru"] = "gru"
    num_layers: PositiveInt = 1
    """Recurrent layers on top of each other within one mixer."""

    def build(self, shape: SequenceShape) -> Gru:
        return Gru(shape.dim, self.num_layers)
