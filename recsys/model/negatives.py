"""Negatives: drawn once for a batch, shared by all its positions. Knows items, not their vectors and no loss.

Shape letters: N positions, V items (row 0 is padding), S draws, K sources.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Annotated, Self, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from recsys.model.negative_sources import InBatchSource, PopularitySource, Source, UniformSource
from recsys.section import Section

Share = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Negatives:
    """S draws, in rising order of their items; among the columns of one item only the first counts, for all of them.

    items     4    7    7    7    9
    counts    1    3    0    0    1      how often the item was drawn
    expected  .1   2.5  2.5  2.5  .1     how often it was expected to be
    """

    items_S: Tensor
    counts_S: Tensor
    expected_S: Tensor

    @classmethod
    def of(cls, items_S: Tensor, expected_S: Tensor) -> "Negatives":
        """`items_S` must not fall."""
        first_S = torch.searchsorted(items_S, items_S)
        counts_S = torch.zeros_like(expected_S).index_add_(0, first_S, torch.ones_like(expected_S))
        return cls(items_S, counts_S, expected_S)

    @property
    def log_weight_S(self) -> Tensor:
        """log(counts / expected), minus infinity in repeats: weights that estimate a sum over the catalogue."""
        return (self.counts_S / self.expected_S).log()

    def columns_of(self, items_N: Tensor) -> Tensor:
        """[N] items -> [N]: the column that counts for each, -1 where it was not drawn."""
        column_N = torch.searchsorted(self.items_S, items_N).clamp_(max=len(self.items_S) - 1)
        return column_N.where(self.items_S[column_N] == items_N, -1)


class NegativeSampler(nn.Module):
    """Draws from each of its sources; what is expected of the mixture is the sum of what is expected of them."""

    def __init__(self, sources: Iterable[Source]) -> None:
        super().__init__()
        self.sources = nn.ModuleList(sources)

    def forward(self, targets_N: Tensor) -> Negatives:
        sources = cast(Iterable[Source], self.sources)
        items_S = torch.cat([source.draw(targets_N) for source in sources]).sort().values
        expected_KS = torch.stack([source.expected(items_S, len(targets_N)) for source in sources])
        return Negatives.of(items_S, expected_KS.sum(dim=0))


class NegativeMixture(Section):
    """Shares of the draws that come from each source: {uniform: 1, in_batch: 3} draws three in four from the batch."""

    uniform: Share = 0.0
    """All candidates alike."""
    popularity: Share = 0.0
    """Candidates, as often as they were clicked in training."""
    in_batch: Share = 0.0
    """The batch's own targets."""

    @model_validator(mode="after")
    def _some_share_is_positive(self) -> Self:
        if not any(self.shares()):
            raise ValueError("every share is 0, so there is nothing to draw from; use {uniform: 1}")
        return self

    def shares(self) -> tuple[float, float, float]:
        return self.uniform, self.popularity, self.in_batch

    def require_draws(self, num_negatives: int) -> None:
        """ValueError where rounding leaves a source without any."""
        draws = split_draws(self.shares(), num_negatives)
        if any(share > 0 and num_draws == 0 for share, num_draws in zip(self.shares(), draws, strict=True)):
            raise ValueError(
                f"num_negatives is {num_negatives}, too few to draw from every source of {self}; "
                "use more, or set the smallest share to 0"
            )

    def build(self, counts_V: Tensor, candidates_V: Tensor, num_negatives: int) -> NegativeSampler:
        uniform, popularity, in_batch = split_draws(self.shares(), num_negatives)
        sources: list[Source] = []
        if uniform:
            sources.append(UniformSource(candidates_V, uniform))
        if popularity:
            sources.append(PopularitySource(counts_V * candidates_V, popularity))
        if in_batch:
            sources.append(InBatchSource(counts_V, in_batch))
        return NegativeSampler(sources)


def split_draws(shares: Iterable[float], total: int) -> list[int]:
    """Whole numbers in proportion to the shares, each to within 1; their sum is `total`."""
    ends = list(accumulate(shares, initial=0.0))
    return [stop - start for start, stop in pairwise(round(total * end / ends[-1]) for end in ends)]
