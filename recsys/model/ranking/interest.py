"""What a history says of the target: [B, K] of a Sequence. One class for each model of the field.

Shape letters: H histories, L clicks, B targets, W width of an event, K width of what comes out.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from recsys.model.ranking.events import Sequence
from recsys.model.ranking.perceptron import Perceptron
from recsys.nn.context import SequenceContext
from recsys.nn.dice import Dice
from recsys.nn.encoder import Encoder, EncoderConfig


class Interest(nn.Module, ABC):
    """`width` is K."""

    width: int

    @abstractmethod
    def forward(self, sequence: Sequence) -> Tensor:
        """-> [B, K]"""


class NoInterest(Interest):
    """The history is not read: the target alone, as in Wide & Deep (Cheng et al. 2016, https://arxiv.org/abs/1606.07792)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, sequence: Sequence) -> Tensor:
        return sequence.targets_BW


class MeanInterest(Interest):
    """The mean of the history beside the target: WDL(+Seq) in BST's paper."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = 2 * width

    def forward(self, sequence: Sequence) -> Tensor:
        mean_HW = masked_mean(sequence.events_HLW, sequence.lengths_H)
        return torch.cat([mean_HW[sequence.owners_B], sequence.targets_BW], dim=-1)


class DinInterest(Interest):
    """The sum of the history, each event weighted by a unit that sees it beside the target; no softmax.

    DIN (Zhou et al. 2018, https://arxiv.org/abs/1706.06978). The order of the history means nothing to it.
    """

    def __init__(self, width: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.width = 2 * width
        self.activation_unit = Perceptron(4 * width, hidden, dropout=0.0, activation=Dice)

    def forward(self, sequence: Sequence) -> Tensor:
        valid_HL = SequenceContext(sequence.lengths_H).valid_BL(sequence.events_HLW.shape[1])
        valid_BL = valid_HL[sequence.owners_B]
        rows_N, columns_N = valid_BL.nonzero(as_tuple=True)
        event_NW = sequence.events_HLW[sequence.owners_B[rows_N], columns_N]
        target_NW = sequence.targets_BW[rows_N]
        beside_NW4 = torch.cat([event_NW, target_NW, event_NW - target_NW, event_NW * target_NW], dim=-1)
        weighted_NW = self.activation_unit(beside_NW4) * event_NW
        interest_BW = torch.zeros_like(sequence.targets_BW).index_add(0, rows_N, weighted_NW)
        return torch.cat([interest_BW, sequence.targets_BW], dim=-1)


class BstInterest(Interest):
    """The target as the last element of the sequence, through Transformer blocks in which all see all: its own output.

    BST (Chen et al. 2019, https://arxiv.org/abs/1905.06874). `pools`: the mean of all outputs in its place.
    """

    def __init__(self, config: EncoderConfig, *, pools: bool) -> None:
        super().__init__()
        self.width = config.dim
        self.pools = pools
        self.encoder = Encoder(config)

    def forward(self, sequence: Sequence) -> Tensor:
        lengths_B = sequence.lengths_H[sequence.owners_B] + 1
        x_BLW = with_targets(sequence)
        context = SequenceContext(lengths_B, causal=False)
        if self.pools:
            return masked_mean(self.encoder(x_BLW, context), lengths_B)
        return self.encoder.last(x_BLW, context)


def with_targets(sequence: Sequence) -> Tensor:
    """[B, L + 1, W]: each target behind the last click of its history."""
    events_BLW = sequence.events_HLW[sequence.owners_B]
    padded_BLW = nn.functional.pad(events_BLW, (0, 0, 0, 1))
    places_B11 = sequence.lengths_H[sequence.owners_B][:, None, None]
    return padded_BLW.scatter(1, places_B11.expand(-1, 1, padded_BLW.shape[-1]), sequence.targets_BW[:, None])


def masked_mean(x_HLW: Tensor, lengths_H: Tensor) -> Tensor:
    """[H, W]; zero where there is no click."""
    valid_HL = SequenceContext(lengths_H).valid_BL(x_HLW.shape[1])
    total_HW = (x_HLW * valid_HL[..., None]).sum(dim=1)
    return total_HW / lengths_H.clamp(min=1)[:, None]
