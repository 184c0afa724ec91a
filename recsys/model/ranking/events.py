"""The sequence a ranker reads: every click of a history, and the target as if it were one more, as vectors.

[ item id | item features | the click's own features | position ]: side by side, as in BST. What is known of a click
only afterwards is nothing for the target.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys.data.example_batches import Moments, RankingBatch
from recsys.model.embedding import UNTOLD_SHARE
from recsys.model.ranking.positions import Placement
from recsys.model.ranking.shape import RankerShape
from recsys.model.ranking.vectors import INITIAL, RowVectors, ValueEmbedding


@dataclass(frozen=True)
class Sequence:
    """[H, L, W] histories, and [H, C, W] targets of each."""

    events_HLW: Tensor
    lengths_H: Tensor
    targets_HCW: Tensor


class PositionEmbedding(nn.Module):
    """[...] -> [..., D]"""

    def __init__(self, num_positions: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_positions, dim) * INITIAL)

    def forward(self, positions: Tensor) -> Tensor:
        return F.embedding(positions, self.weight)


class EventVectors(nn.Module):
    def __init__(self, items: RowVectors, shape: RankerShape, dim: int, placement: Placement | None) -> None:
        super().__init__()
        self.items = items
        self.dim = dim
        self.marks = nn.ModuleList(ValueEmbedding(feature.num_values, dim) for feature in shape.click_features)
        self.is_context = [feature.is_context for feature in shape.click_features]
        self.placement = placement
        self.positions = None if placement is None else PositionEmbedding(placement.num_positions, dim)
        self.width = items.width + dim * (len(self.marks) + (placement is not None))

    def forward(self, batch: RankingBatch) -> Sequence:
        moments = batch.moments
        return Sequence(self._histories(moments), moments.lengths_H, self._targets(batch.items_HC, moments.context))

    def context(self, moments: Moments) -> Tensor:
        """[H, context features * D]: what is known of the moment itself."""
        known = [embed for embed, is_context in zip(self.marks, self.is_context, strict=True) if is_context]
        vectors = [embed(values) for embed, values in zip(known, moments.context, strict=True)]
        nothing_H0 = torch.zeros(len(moments.users_H), 0, device=moments.users_H.device)
        return torch.cat([nothing_H0, *vectors], dim=-1)

    def _histories(self, moments: Moments) -> Tensor:
        parts = [self.items(moments.items_HL)]
        parts += [embed(values) for embed, values in zip(self.marks, moments.marks, strict=True)]
        if self.placement is not None and self.positions is not None:
            parts.append(self.positions(self.placement(self._told(moments))))
        return torch.cat(parts, dim=-1)

    def _told(self, moments: Moments) -> Moments:
        """In training some histories are read as if nobody told their times: so that one without them can be read."""
        if not self.training:
            return moments
        untold_H1 = torch.rand(len(moments.lengths_H), 1, device=moments.ages_HL.device) < UNTOLD_SHARE
        return replace(moments, ages_HL=moments.ages_HL.masked_fill(untold_H1, -1))

    def _targets(self, items_HC: Tensor, context: tuple[Tensor, ...]) -> Tensor:
        parts, known = [self.items(items_HC)], iter(context)
        for embed, is_context in zip(self.marks, self.is_context, strict=True):
            nothing_HCD = parts[0].new_zeros(*items_HC.shape, self.dim)
            parts.append(embed(next(known))[:, None].expand_as(nothing_HCD) if is_context else nothing_HCD)
        if self.placement is not None and self.positions is not None:
            parts.append(self.positions(torch.full_like(items_HC, self.placement.target)))
        return torch.cat(parts, dim=-1)
