"""Batches of labelled examples. What several examples have in common, a moment and its history, is there once.

Shape letters: H moments, C candidates at each, L clicks of a history, M values of a feature.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys.data.batches import Shard, gather_padded
from recsys.data.dataset import Dataset
from recsys.data.examples import Examples

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Moments:
    """Users at moments. Histories lie left-aligned, oldest click first, the rest PADDING.

    `ages_HL` is how long before the moment each click happened, in microseconds, -1 where unknown; `marks` the values
    of each feature of the clicks; `context` the values that are known of the moment itself; `tied_H` how many clicks of
    the same moment lie between the history and the one that is asked about, and `own_H` the item of that one: both 0
    where nobody knows, and for training alone. `told` has the values of each feature of the users, [H, M], where
    somebody tells them: they count in place of what is known of `users_H`.
    """

    items_HL: Tensor
    lengths_H: Tensor
    ages_HL: Tensor
    marks: tuple[Tensor, ...]
    users_H: Tensor
    context: tuple[Tensor, ...]
    tied_H: Tensor
    own_H: Tensor
    told: tuple[Tensor, ...] = ()

    def to(self, device: torch.device) -> "Moments":
        return Moments(
            self.items_HL.to(device),
            self.lengths_H.to(device),
            self.ages_HL.to(device),
            tuple(mark.to(device) for mark in self.marks),
            self.users_H.to(device),
            tuple(values.to(device) for values in self.context),
            self.tied_H.to(device),
            self.own_H.to(device),
            tuple(values.to(device) for values in self.told),
        )


@dataclass(frozen=True)
class OwnClicks:
    """[H] the items that were clicked at moments, and how many clicks of the moment lie before each."""

    items: Int64
    tied: Int64


@dataclass(frozen=True)
class Stretches:
    """[H] histories as stretches of flat arrays: `marks` are the features of their clicks; no `times` where unknown."""

    items: NDArray[np.int32]
    times: Int64 | None
    marks: tuple[NDArray[np.int32], ...]
    starts: Int64
    lengths: Int64

    def moments(
        self,
        asked: Int64,
        users: NDArray[np.integer],
        context: tuple[NDArray[np.int32], ...],
        own: OwnClicks | None = None,
    ) -> Moments:
        """At the times `asked`; an age is -1 where it is not known."""
        nothing = np.zeros(len(self.lengths), np.int64)
        own = own or OwnClicks(nothing, nothing)
        items_HL = gather_padded(self.items, self.starts, self.lengths)
        ages_HL = torch.full_like(items_HL, -1)
        if self.times is not None:
            times_HL = gather_padded(self.times, self.starts, self.lengths)
            ages_HL = (torch.from_numpy(asked)[:, None] - times_HL).clamp(min=0)
        return Moments(
            items_HL=items_HL,
            lengths_H=torch.from_numpy(self.lengths),
            ages_HL=ages_HL,
            marks=tuple(gather_padded(mark, self.starts, self.lengths) for mark in self.marks),
            users_H=torch.from_numpy(users.astype(np.int64)),
            context=tuple(torch.from_numpy(values.astype(np.int64)) for values in context),
            tied_H=torch.from_numpy(own.tied),
            own_H=torch.from_numpy(own.items),
        )


@dataclass(frozen=True)
class RankingBatch:
    """Which of each moment's candidates were clicked?"""

    moments: Moments
    items_HC: Tensor
    labels_HC: Tensor

    @property
    def num_targets(self) -> int:
        """Examples."""
        return self.items_HC.numel()

    def to(self, device: torch.device) -> "RankingBatch":
        return RankingBatch(self.moments.to(device), self.items_HC.to(device), self.labels_HC.to(device))


class ExampleReader:
    """Lays out any examples of a dataset; reads the last `max_length` clicks before each."""

    def __init__(self, dataset: Dataset, examples: Examples, max_length: int) -> None:
        self.dataset = dataset
        self.examples = examples
        self.max_length = max_length

    def batch(self, rows: Int64) -> RankingBatch:
        """The moments `rows`, with all their candidates."""
        chosen = self.examples.take(rows)
        return RankingBatch(
            moments=self.moments(chosen),
            items_HC=torch.from_numpy(chosen.items.astype(np.int64)),
            labels_HC=torch.from_numpy(chosen.labels.astype(np.float32)),
        )

    def moments(self, chosen: Examples) -> Moments:
        """One for each."""
        histories = self.dataset.histories
        begins = np.asarray(histories.offsets)[chosen.users]
        starts = np.maximum(begins, chosen.ends - self.max_length)
        features = self.dataset.click_features
        marks = tuple(feature.values for feature in features)
        stretches = Stretches(histories.items, histories.times, marks, starts, chosen.ends - starts)
        context = tuple(feature.values[chosen.clicks] for feature in features.context)
        asked = np.asarray(histories.times[chosen.clicks])
        own = OwnClicks(np.asarray(histories.items)[chosen.clicks].astype(np.int64), chosen.clicks - chosen.ends)
        return stretches.moments(asked, chosen.users, context, own)

    def in_order(self, batch_size: int) -> Iterator[RankingBatch]:
        """All examples as they are, about `batch_size` of them at a time."""
        for rows in self.rows(np.arange(self.examples.num_moments), batch_size):
            yield self.batch(rows)

    def rows(self, order: Int64, batch_size: int) -> list[Int64]:
        """Moments in this order, cut into batches of as many as have `batch_size` examples, and of one at least."""
        step = max(1, batch_size // self.examples.num_candidates)
        return [order[start : start + step] for start in range(0, len(order), step)]


@dataclass(frozen=True)
class ExamplePlan:
    """One epoch: which moments come when."""

    batches: list[Int64]
    num_candidates: int

    def __len__(self) -> int:
        return len(self.batches)

    def clicks_from(self, first: int) -> int:
        """Examples of the batches from `first` on."""
        return self.num_candidates * sum(map(len, self.batches[first:]))


class ExampleBatches:
    """Every epoch's batches, from any batch on: a pure function of (seed, epoch), as the retriever's are."""

    def __init__(self, reader: ExampleReader, *, batch_size: int, seed: int) -> None:
        self.reader = reader
        self.batch_size = batch_size
        self.seed = seed

    def plan(self, epoch: int, shard: Shard) -> ExamplePlan:
        examples = self.reader.examples
        order = np.random.default_rng([self.seed, epoch]).permutation(examples.num_moments)
        return ExamplePlan(self.reader.rows(order, self.batch_size * shard.world_size), examples.num_candidates)

    def iterate(self, plan: ExamplePlan, *, first: int, shard: Shard) -> Iterator[RankingBatch]:
        for rows in plan.batches[first:]:
            yield self.reader.batch(np.array_split(rows, shard.world_size)[shard.rank])
