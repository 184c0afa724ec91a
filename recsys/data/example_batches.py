"""Batches of labelled examples. What several examples have in common, a moment and its history, is there once.

Shape letters: H moments, L clicks of a history, M values of a feature, B examples.
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
    of each feature of the clicks; `context` the values that are known of the moment itself.
    """

    items_HL: Tensor
    lengths_H: Tensor
    ages_HL: Tensor
    marks: tuple[Tensor, ...]
    users_H: Tensor
    context: tuple[Tensor, ...]

    def to(self, device: torch.device) -> "Moments":
        return Moments(
            self.items_HL.to(device),
            self.lengths_H.to(device),
            self.ages_HL.to(device),
            tuple(mark.to(device) for mark in self.marks),
            self.users_H.to(device),
            tuple(values.to(device) for values in self.context),
        )


@dataclass(frozen=True)
class Stretches:
    """[H] histories as stretches of flat arrays: `marks` are the features of their clicks; no `times` where unknown."""

    items: NDArray[np.int32]
    times: Int64 | None
    marks: tuple[NDArray[np.int32], ...]
    starts: Int64
    lengths: Int64

    def moments(self, asked: Int64, users: NDArray[np.integer], context: tuple[NDArray[np.int32], ...]) -> Moments:
        """At the times `asked`; an age is -1 where it is not known."""
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
        )


@dataclass(frozen=True)
class RankingBatch:
    """Example b: was `items_B[b]` clicked at the moment `owners_B[b]`?"""

    moments: Moments
    owners_B: Tensor
    items_B: Tensor
    labels_B: Tensor

    @property
    def num_targets(self) -> int:
        return len(self.items_B)

    def to(self, device: torch.device) -> "RankingBatch":
        others = (tensor.to(device) for tensor in (self.owners_B, self.items_B, self.labels_B))
        return RankingBatch(self.moments.to(device), *others)


class ExampleReader:
    """Lays out any examples of a dataset; reads the last `max_length` clicks before each."""

    def __init__(self, dataset: Dataset, examples: Examples, max_length: int) -> None:
        self.dataset = dataset
        self.examples = examples
        self.max_length = max_length

    def batch(self, rows: Int64) -> RankingBatch:
        """Those of `rows`; neighbours of one click share its moment."""
        chosen = self.examples.take(rows)
        is_first = np.ones(len(rows), dtype=bool)
        is_first[1:] = chosen.clicks[1:] != chosen.clicks[:-1]
        return RankingBatch(
            moments=self.moments(chosen.take(is_first)),
            owners_B=torch.from_numpy(np.cumsum(is_first) - 1),
            items_B=torch.from_numpy(chosen.items.astype(np.int64)),
            labels_B=torch.from_numpy(chosen.labels.astype(np.float32)),
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
        return stretches.moments(np.asarray(histories.times[chosen.clicks]), chosen.users, context)

    def in_order(self, batch_size: int) -> Iterator[RankingBatch]:
        """All examples, as they are."""
        for start in range(0, len(self.examples), batch_size):
            yield self.batch(np.arange(start, min(start + batch_size, len(self.examples))))


@dataclass(frozen=True)
class ExamplePlan:
    """One epoch: which click's examples come when. Examples of one click stay together."""

    rows: Int64
    bounds: Int64

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def clicks_from(self, first: int) -> int:
        """Examples of the batches from `first` on."""
        return int(self.bounds[-1] - self.bounds[first])


class ExampleBatches:
    """Every epoch's batches, from any batch on: a pure function of (seed, epoch), as the retriever's are."""

    def __init__(self, reader: ExampleReader, *, batch_size: int, seed: int) -> None:
        self.reader = reader
        self.batch_size = batch_size
        self.seed = seed

    def plan(self, epoch: int, shard: Shard) -> ExamplePlan:
        clicks = self.reader.examples.clicks
        begins = np.flatnonzero(np.append(True, clicks[1:] != clicks[:-1]))
        lengths = np.diff(np.append(begins, len(clicks)))
        order = np.random.default_rng([self.seed, epoch]).permutation(len(begins))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths[order])])
        rows = np.arange(offsets[-1]) + np.repeat(begins[order] - offsets[:-1], lengths[order])
        wanted = np.arange(0, offsets[-1], self.batch_size * shard.world_size)
        bounds = np.append(offsets[np.searchsorted(offsets, wanted)], offsets[-1])
        return ExamplePlan(rows, np.unique(bounds))

    def iterate(self, plan: ExamplePlan, *, first: int, shard: Shard) -> Iterator[RankingBatch]:
        for batch in range(first, len(plan)):
            rows = plan.rows[plan.bounds[batch] : plan.bounds[batch + 1]]
            yield self.reader.batch(np.array_split(rows, shard.world_size)[shard.rank])
