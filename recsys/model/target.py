"""What a retriever predicts, and what it may read for it: the click behind each one, or clicks that are hidden.

Shape letters: B histories, L positions, D width, M masked clicks, R rows of a batch that are read twice.
"""

import math
from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from recsys.data.batches import SequenceBatch
from recsys.data.vocabulary import PADDING
from recsys.model.embedding import OWN_SHARE, ItemTower
from recsys.nn.context import SequenceContext
from recsys.nn.mixers import MixerConfig
from recsys.section import Section

MASK = -1
"""In the place of an item's index: a click of which nothing is told. No table has a row for it."""


class Target(nn.Module, ABC):
    @abstractmethod
    def examples(self, batch: SequenceBatch) -> SequenceBatch:
        """A training batch as the model reads it; it predicts `targets_BL` at `positions_N`."""

    @abstractmethod
    def question(self, items_BL: Tensor, context: SequenceContext) -> tuple[Tensor, SequenceContext]:
        """Histories such that the encoder's last position is the user after the last click."""

    @abstractmethod
    def vectors(self, tower: ItemTower, items: Tensor, *, hidden_share: float) -> Tensor:
        """[...] items -> [..., D]"""


class NextClick(Target):
    """Every position predicts the click behind it, as in SASRec (https://arxiv.org/abs/1808.09781)."""

    def examples(self, batch: SequenceBatch) -> SequenceBatch:
        return batch

    def question(self, items_BL: Tensor, context: SequenceContext) -> tuple[Tensor, SequenceContext]:
        return items_BL, context

    def vectors(self, tower: ItemTower, items: Tensor, *, hidden_share: float) -> Tensor:
        return tower(items, hidden_share=hidden_share)


class Cloze(Target):
    """Hidden clicks are predicted from those on both sides, and the next one as a hidden click behind the last:
    BERT4Rec (Sun et al. 2019, https://arxiv.org/abs/1904.06690)."""

    def __init__(self, dim: int, *, mask_share: float, last_share: float) -> None:
        super().__init__()
        self.mask_D = nn.Parameter(torch.randn(dim) * (OWN_SHARE * dim**-0.5))
        self.mask_share = mask_share
        self.last_share = last_share

    def examples(self, batch: SequenceBatch) -> SequenceBatch:
        """Windows with their last target, some of their clicks masked; then some of them again with the last one alone.

        How many clicks are masked is known without a look at any, and stands for all of the batch's targets.
        """
        items_BL = torch.cat([batch.items_BL[:, :1], batch.targets_BL], dim=1)
        lengths_B, (num_rows, width) = batch.lengths_B + 1, items_BL.shape
        twice_R = torch.randperm(num_rows, device=items_BL.device)[: round(self.last_share * num_rows)]
        ends_R = (torch.arange(len(twice_R), device=items_BL.device) + num_rows) * width + lengths_B[twice_R]
        spread_M = spread(lengths_B, width, num_clicks=len(batch.positions_N) + num_rows, share=self.mask_share)
        whole_BL, masked_M = torch.cat([items_BL, items_BL[twice_R]]), torch.cat([spread_M, ends_R - 1])
        return SequenceBatch(
            items_BL=whole_BL.flatten().index_fill(0, masked_M, MASK).view_as(whole_BL),
            times_BL=None,
            asked_BL=None,
            lengths_B=torch.cat([lengths_B, lengths_B[twice_R]]),
            targets_BL=whole_BL,
            positions_N=masked_M,
            num_targets=max(1, round(batch.num_targets * len(masked_M) / max(1, len(batch.positions_N)))),
        )

    def question(self, items_BL: Tensor, context: SequenceContext) -> tuple[Tensor, SequenceContext]:
        longer_BL = F.pad(items_BL, (0, 1), value=PADDING).scatter(1, context.lengths_B[:, None], MASK)
        return longer_BL, SequenceContext(context.lengths_B + 1, causal=False)

    def vectors(self, tower: ItemTower, items: Tensor, *, hidden_share: float) -> Tensor:
        """Padding's vector is zero, and so a mask's is the mask alone."""
        clicked = tower(items.clamp(min=PADDING), hidden_share=hidden_share)
        return clicked + (items == MASK)[..., None] * self.mask_D


def spread(lengths_B: Tensor, width: int, *, num_clicks: int, share: float) -> Tensor:
    """[M] places in [B * width]: any click as likely as any other, and of each row its share, rounded up or down.

    Each row's clicks are shuffled; then, one row behind the other, each `num_clicks / M`-th of all clicks is taken.
    """
    num_masked, device = math.ceil(share * num_clicks), lengths_B.device
    is_padding_BL = torch.arange(width, device=device) >= lengths_B[:, None]
    shuffled_BL = torch.rand(is_padding_BL.shape, device=device).masked_fill(is_padding_BL, 1.0).argsort(dim=1)
    first = torch.randint(max(1, num_clicks), (1,), device=device)
    nth_M = (torch.arange(num_masked, device=device) * num_clicks + first) // max(1, num_masked)
    ends_B = lengths_B.cumsum(0)
    rows_M = torch.searchsorted(ends_B, nth_M, right=True)
    return rows_M * width + shuffled_BL[rows_M, nth_M - (ends_B - lengths_B)[rows_M]]


class TargetSection(Section, ABC):
    num_masks: ClassVar[int] = 0
    """How many places of a row the question takes, behind the clicks that are read."""

    @property
    def is_causal(self) -> bool:
        """Whether no position reads a later one."""
        return self.num_masks == 0

    @abstractmethod
    def build(self, dim: int) -> Target:
        """A fresh target."""

    def require_fit(self, mixer: MixerConfig, *, reads_times: bool, has_positions: bool) -> None:
        """ValueError where the target needs another mixer, or positions, or must not see times."""


class NextClickConfig(TargetSection):
    """The click behind each click, from it and the earlier ones."""

    kind: Literal["next_click"] = "next_click"

    def build(self, dim: int) -> NextClick:
        return NextClick()


class ClozeConfig(TargetSection):
    """Masked clicks, from all others of their history."""

    kind: Literal["cloze"] = "cloze"
    num_masks: ClassVar[int] = 1
    mask_share: float = Field(default=0.2, gt=0.0, lt=1.0)
    """Share of clicks that are masked while training, drawn anew for each batch."""
    last_share: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of a batch's windows that are read once more with their last click masked alone, as a user is asked about.
    They come on top of `training.batch_tokens`."""

    def build(self, dim: int) -> Cloze:
        return Cloze(dim, mask_share=self.mask_share, last_share=self.last_share)

    def require_fit(self, mixer: MixerConfig, *, reads_times: bool, has_positions: bool) -> None:
        """ValueError where what is later would not be read, where hidden clicks would all look the same, or where a
        time would tell of one."""
        if mixer.causal_only:
            raise ValueError(
                f"target cloze reads what is before and behind a masked click, and a {mixer.kind} mixer reads what is "
                "earlier alone: choose another mixer, or target next_click"
            )
        if not (mixer.knows_order or has_positions):
            raise ValueError(
                f"target cloze tells hidden clicks apart by their places, which a {mixer.kind} mixer does not know: "
                "set positions to start, end or sinusoidal, or choose a mixer that knows distances"
            )
        if reads_times:
            raise ValueError(
                "target cloze hides a click and all that is told of it, and what reads times (gaps, calendar, "
                "query_time or a mixer of times) tells when it was: use none of that, or target next_click"
            )


TargetConfig = Annotated[NextClickConfig | ClozeConfig, Field(discriminator="kind")]
