"""The ranker: the logit of a click, from the target, the history before it, and what is known of the user.

logit = perceptron([interest | item | user | context]) + wide + follows. The models of the field differ in what
`interest`, what the history says, is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from recsys.data.dataset import Dataset
from recsys.data.example_batches import Moments, RankingBatch
from recsys.errors import ConfigError
from recsys.model.ranking.events import EventVectors
from recsys.model.ranking.follows import MAX_GAP, Follows, Pairs
from recsys.model.ranking.interest_config import BstConfig, InterestConfig
from recsys.model.ranking.perceptron import Perceptron, leaky_relu
from recsys.model.ranking.shape import RankerShape
from recsys.model.ranking.vectors import RowVectors, ValueEmbedding
from recsys.model.ranking.wide import Wide
from recsys.nn.shape import SequenceShape
from recsys.section import Section

AT_ONCE = 32
"""Users whose candidates make one batch."""


class RankerConfig(Section):
    interest: InterestConfig = BstConfig()
    """What is made of the history: bst, din, mean (WDL+Seq with `wide`) or none (WDL with `wide`)."""
    wide: bool = False
    """Whether there is a wide part: a weight for each value, and for each cross."""
    crosses: tuple[tuple[str, str], ...] = ()
    """Pairs of a user's and an item's feature for the wide part, such as [[age, genres]]."""
    covisitation: bool = False
    """Whether it counts how often, in training, the target came soon after what the user clicked."""
    dim: PositiveInt = 16
    """Width of each embedding: of an id, of a feature, of a position."""
    max_length: PositiveInt = 20
    """How many of the most recent clicks are read."""
    hidden: tuple[PositiveInt, ...] = (1024, 512, 256)
    dropout: float = Field(default=0.2, ge=0.0, lt=1.0)
    reads_user_ids: bool = False
    """Whether each user has an embedding. A user without training clicks has none."""

    @model_validator(mode="after")
    def _counts_what_it_reads(self) -> Self:
        if self.covisitation and self.max_length < MAX_GAP:
            raise ValueError(
                f"ranker.model.covisitation counts what followed within {MAX_GAP} clicks, and "
                f"ranker.model.max_length is {self.max_length}: make that {MAX_GAP} or more"
            )
        return self

    @model_validator(mode="after")
    def _crosses_are_for_the_wide_part(self) -> Self:
        if self.crosses and not self.wide:
            raise ValueError("ranker.model.crosses are for the wide part: set ranker.model.wide=true too")
        return self


class Ranker(nn.Module):
    def __init__(self, config: RankerConfig, shape: RankerShape, crosses: list[tuple[int, int]]) -> None:
        super().__init__()
        self.config, self.shape, self.crosses = config, shape, crosses
        self.items = RowVectors(shape.num_items, shape.item_features, config.dim, reads_ids=True)
        self.users = RowVectors(shape.num_users, shape.user_features, config.dim, reads_ids=config.reads_user_ids)
        placement = config.interest.positions.build(config.max_length)
        self.events = EventVectors(self.items, shape, config.dim, placement)
        self.interest = config.interest.build(SequenceShape(self.events.width, config.max_length), config.dropout)
        context = config.dim * sum(feature.is_context for feature in shape.click_features)
        width = self.interest.width + self.items.width + self.users.width + context
        self.perceptron = Perceptron(width, config.hidden, dropout=config.dropout, activation=leaky_relu)
        self.wide = Wide(self.items, self.users, crosses) if config.wide else None
        self.follows = Follows(shape.num_items, shape.num_pairs) if config.covisitation else None

    @classmethod
    def for_dataset(cls, config: RankerConfig, dataset: Dataset) -> Self:
        """A fresh ranker that knows the features of items and users, and what of them occurs in training."""
        items, users = dataset.features.inputs, dataset.user_features.inputs
        crosses = crosses_of(config, [one.name for one in users], [one.name for one in items])
        pairs = Pairs.of(dataset) if config.covisitation else None
        num_pairs = 0 if pairs is None else len(pairs.keys)
        ranker = cls(config, RankerShape.of(dataset).model_copy(update={"num_pairs": num_pairs}), crosses)
        if ranker.follows is not None and pairs is not None:
            ranker.follows.assign(pairs)
        trains_U = np.asarray(dataset.split.train_end) > np.asarray(dataset.histories.offsets[:-1])
        ranker.items.assign(items, torch.from_numpy(np.array(dataset.trained_items)))
        ranker.users.assign(users, torch.from_numpy(trains_U))
        in_training = dataset.split.in_training(dataset.histories)
        for feature, embed in zip(dataset.click_features, ranker.events.marks, strict=True):
            assert isinstance(embed, ValueEmbedding)
            embed.know(torch.from_numpy(np.unique(feature.values[in_training]).astype(np.int64)))
        return ranker

    def forward(self, batch: RankingBatch) -> Tensor:
        """-> [H, C] logits"""
        return self.judged(batch).logits_HC

    def of_candidates(self, moments: Moments, items_HC: Tensor) -> "Judged":
        """Of C items for each of H moments."""
        labels_HC = torch.zeros_like(items_HC, dtype=torch.float32)
        return self.judged(RankingBatch(moments.to(items_HC.device), items_HC, labels_HC))

    def judged(self, batch: RankingBatch) -> "Judged":
        sequence = self.events(batch)
        interest_HCK, items_HCW = self.interest(sequence), sequence.targets_HCW[..., : self.items.width]
        users_HW = self.users(batch.moments.users_H, batch.moments.told)
        known_HK = torch.cat([users_HW, self.events.context(batch.moments)], dim=-1)
        known_HCK = known_HK[:, None].expand(-1, batch.items_HC.shape[1], -1)
        logits_HC = self.perceptron(torch.cat([interest_HCK, items_HCW, known_HCK], dim=-1))[..., 0]
        if self.wide is not None:
            logits_HC = logits_HC + self.wide(batch)
        if self.follows is None:
            return Judged(logits_HC, torch.zeros_like(logits_HC))
        followed_HC = self.follows(batch)
        return Judged(logits_HC + self.follows.weight * followed_HC, followed_HC)


@dataclass(frozen=True)
class Judged:
    """[H, C] logits of clicks, and logarithms of how often each item followed the history, 0 where nobody counts."""

    logits_HC: Tensor
    followed_HC: Tensor


def judged_candidates(ranker: Ranker, items_UC: Tensor, moments: Callable[[slice], Moments]) -> Judged:
    """Of [U, C] items of users whose `moments` are told on demand, some users at a time."""
    nothing = torch.zeros(0, items_UC.shape[1], device=items_UC.device)
    parts = [Judged(nothing, nothing)] + [
        ranker.of_candidates(moments(slice(start, start + AT_ONCE)), items_UC[start : start + AT_ONCE])
        for start in range(0, len(items_UC), AT_ONCE)
    ]
    return Judged(torch.cat([part.logits_HC for part in parts]), torch.cat([part.followed_HC for part in parts]))


def crosses_of(config: RankerConfig, users: list[str], items: list[str]) -> list[tuple[int, int]]:
    """Names to numbers of features; ConfigError where there is none of that name."""
    for user, item in config.crosses:
        for name, names, whose in ((user, users, "user"), (item, items, "item")):
            if name not in names:
                raise ConfigError(
                    f"ranker.model.crosses: no {whose} has a feature {name!r}; there are {', '.join(names) or 'none'}"
                )
    return [(users.index(user), items.index(item)) for user, item in config.crosses]
