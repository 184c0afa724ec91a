"""What a history says of each target: [H, C, K] of a Sequence. One class for each model of the field.

Shape letters: H histories, L clicks, C targets of a history, W width of an event, K width of what comes out.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from recsys.model.ranking.events import Sequence
from recsys.model.ranking.perceptron import Perceptron
from recsys.nn.context import SequenceContext
from recsys.nn.dice import Dice
from recsys.nn.encoder import Encoder, EncoderConfig
from recsys.nn.mixers.mixer import with_target


class Interest(nn.Module, ABC):
    """`width` is K."""

    width: int

    @abstractmethod
    def forward(self, sequence: Sequence) -> Tensor:
        """-> [H, C, K]"""

    def penalties(self) -> list[Tensor]:
        """What is added to the mean loss."""
        return []

    def measures(self) -> dict[str, float]:
        """What it has learned that a number tells, by name."""
        return {}


class NoInterest(Interest):
    """The history is not read, as in Wide & Deep (Cheng et al. 2016, https://arxiv.org/abs/1606.07792)."""

    width = 0

    def forward(self, sequence: Sequence) -> Tensor:
        return sequence.targets_HCW[..., :0]


class MeanInterest(Interest):
    """The mean of the history: WDL(+Seq) in BST's paper."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, sequence: Sequence) -> Tensor:
        mean_HW = masked_mean(sequence.events_HLW, sequence.lengths_H)
        return mean_HW[:, None].expand_as(sequence.targets_HCW)


class DinInterest(Interest):
    """The sum of the history, each event weighted by a unit that sees it beside the target; no softmax.

    DIN (Zhou et al. 2018, https://arxiv.org/abs/1706.06978). The order of the history means nothing to it.
    """

    def __init__(self, width: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.width = width
        self.activation_unit = Perceptron(4 * width, hidden, dropout=0.0, activation=Dice)

    def forward(self, sequence: Sequence) -> Tensor:
        events_HLW, targets_HCW = sequence.events_HLW, sequence.targets_HCW
        valid_HL = SequenceContext(sequence.lengths_H).valid_BL(events_HLW.shape[1])
        valid_HCL = valid_HL[:, None].expand(-1, targets_HCW.shape[1], -1)
        histories_N, targets_N, columns_N = valid_HCL.nonzero(as_tuple=True)
        event_NW, target_NW = events_HLW[histories_N, columns_N], targets_HCW[histories_N, targets_N]
        beside_NW4 = torch.cat([event_NW, target_NW, event_NW - target_NW, event_NW * target_NW], dim=-1)
        weighted_NW = self.activation_unit(beside_NW4) * event_NW
        rows_N = histories_N * targets_HCW.shape[1] + targets_N
        interest_BW = torch.zeros_like(targets_HCW).flatten(0, 1).index_add(0, rows_N, weighted_NW)
        return interest_BW.view_as(targets_HCW)


class BstInterest(Interest):
    """The target as the last element of the sequence, through Transformer blocks in which all see all: its own output.

    BST (Chen et al. 2019, https://arxiv.org/abs/1905.06874). `pools`: the mean of all outputs in its place.
    """

    def __init__(self, config: EncoderConfig, *, max_length: int, pools: bool) -> None:
        super().__init__()
        self.width = config.dim
        self.pools = pools
        self.encoder = Encoder(config, max_length=max_length + 1)  # the target, too

    def forward(self, sequence: Sequence) -> Tensor:
        events_HLW, targets_HCW = sequence.events_HLW, sequence.targets_HCW
        if targets_HCW.shape[1] > 1 and self.encoder.has_one_block and not self.pools:
            # in one block no click's output is read: a history is read once for all its targets
            context = SequenceContext(sequence.lengths_H, causal=False)
            return self.encoder.beyond(events_HLW, context, targets_HCW)
        x_BLW, context = with_target(events_HLW, sequence.lengths_H, targets_HCW)
        if self.pools:
            interest_BW = masked_mean(self.encoder(x_BLW, context), context.lengths_B)
        else:
            interest_BW = self.encoder.last(x_BLW, context)
        return interest_BW.view_as(targets_HCW)

    def penalties(self) -> list[Tensor]:
        return self.encoder.penalties()

    def measures(self) -> dict[str, float]:
        return self.encoder.measures()


def masked_mean(x_HLW: Tensor, lengths_H: Tensor) -> Tensor:
    """[H, W]; zero where there is no click."""
    valid_HL = SequenceContext(lengths_H).valid_BL(x_HLW.shape[1])
    total_HW = (x_HLW * valid_HL[..., None]).sum(dim=1)
    return total_HW / lengths_H.clamp(min=1)[:, None]
