"""Batches of windows: bucketed by length under a token budget, laid out whole from the flat arrays, resumable.

An epoch's batches are a pure function of (seed, epoch), so a sampler's whole state is which batch comes next.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys.data.clicks import Clicks, MappedClicks, Stretches
from recsys.data.dataset import Dataset
from recsys.data.vocabulary import PADDING
from recsys.data.windows import CUTS, Int64, WindowKind, Windows, training_windows

# Windows whose lengths differ by less than this factor may share a batch, so that batches differ from epoch to epoch.
BUCKET_RATIO = 1.1


@dataclass(frozen=True)
class SequenceBatch:
    """Right-padded clicks and what follows each of them; `targets_BL` is PADDING where there is nothing to predict.

    `times_BL`, and those of the targets, `asked_BL`, are there where the model reads them, and mean nothing at padding.
    `positions_N` says where the clicks that predict lie in [B * L]: as a batch is laid out all of them, row by row.
    `num_targets` counts the targets of the whole batch, those on other ranks included.
    """

    items_BL: Tensor
    times_BL: Tensor | None
    asked_BL: Tensor | None
    lengths_B: Tensor
    targets_BL: Tensor
    positions_N: Tensor
    num_targets: int

    def without_padding(self, values: Tensor) -> Tensor:
        """[B, L, ...] -> [N, ...]. A boolean mask would do, but has to be counted before the host can go on."""
        return values.flatten(0, 1).index_select(0, self.positions_N)


def gather_padded(values: NDArray[np.generic], starts: Int64, lengths: Int64) -> Tensor:
    """[B, max(lengths), ...] int64: row b is values[starts[b] : starts[b] + lengths[b]], then PADDING."""
    column = np.arange(max(1, int(lengths.max(initial=0))))
    real = column < lengths[:, None]
    index = np.where(real, starts[:, None] + column, 0)
    taken = values[index] if len(values) else np.zeros((*index.shape, *values.shape[1:]))
    real = real.reshape(real.shape + (1,) * (values.ndim - 1))
    return torch.from_numpy(np.where(real, taken, PADDING).astype(np.int64))


def length_buckets(lengths: Int64, token_budget: int) -> list[Int64]:
    """Rows whose lengths never fall, cut so that rows x longest stays within the budget (one row at least)."""
    bounds, first = [0], 0
    while first < len(lengths):
        cost = partial(_tokens, lengths, first)
        first = max(first + 1, bisect_right(range(len(lengths)), token_budget, lo=first, key=cost))
        bounds.append(first)
    return [np.arange(start, stop) for start, stop in pairwise(bounds)]


def _tokens(lengths: Int64, first: int, last: int) -> int:
    """What a batch of rows [first, last] costs, padding included."""
    return (last - first + 1) * int(lengths[last])


def lay_out(stretches: Stretches, *, lengths: Int64, num_targets: int) -> SequenceBatch:
    """The batch on the device of its clicks. `lengths` are those of the stretches as the host knows them.

    So the host need not ask the device how wide the batch is, nor how many clicks it has.
    """
    items_E, starts_B, lengths_B = stretches.items_E, stretches.starts_B, stretches.lengths_B
    width, num_clicks = max(1, int(lengths.max(initial=0))), int(lengths.sum())
    range_of = partial(torch.arange, device=items_E.device)
    column_L = range_of(width)
    real_BL = column_L < lengths_B[:, None]
    index_BL = (starts_B[:, None] + column_L).where(real_BL, 0)
    # a row's clicks begin at b * width, and as many clicks lie before them as earlier rows have
    shift_B = range_of(len(lengths)) * width - (lengths_B.cumsum(0) - lengths_B)
    return SequenceBatch(
        items_BL=items_E[index_BL].long().where(real_BL, PADDING),
        times_BL=None if stretches.times_E is None else stretches.times_E[index_BL],
        asked_BL=None if stretches.times_E is None else stretches.times_E[index_BL + 1],
        lengths_B=lengths_B,
        targets_BL=items_E[index_BL + 1].long().where(real_BL, PADDING),
        positions_N=range_of(num_clicks) + shift_B.repeat_interleave(lengths_B, output_size=num_clicks),
        num_targets=num_targets,
    )


@dataclass(frozen=True)
class Shard:
    """Which rows of every batch this process takes: each `world_size`-th, beginning with its rank."""

    rank: int = 0
    world_size: int = 1


class EpochPlan:
    """One epoch's windows, batch after batch. The same arguments give the same plan, on every rank."""

    def __init__(self, windows: Windows, *, token_budget: int, random: np.random.Generator) -> None:
        shuffled = random.permutation(len(windows))
        lengths = windows.lengths[shuffled]
        bucket = np.floor(np.log(lengths) / np.log(BUCKET_RATIO)).astype(np.int16)
        by_length = np.argsort(bucket, kind="stable")
        # within a bucket lengths differ a little: the running maximum is what a row costs
        batches = length_buckets(np.maximum.accumulate(lengths[by_length]), token_budget)
        batches = [by_length[batches[index]] for index in random.permutation(len(batches))]
        order = np.concatenate([np.zeros(0, np.int64), *batches])
        self.windows = windows.take(shuffled[order])
        self.lengths = lengths[order]
        self.bounds = np.cumsum([0, *map(len, batches)])
        self.clicks_before = np.append(0, np.cumsum(self.lengths))[self.bounds]

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @property
    def num_positions(self) -> int:
        """Of all batches, padding included."""
        widths = np.maximum.reduceat(self.lengths, self.bounds[:-1]) if len(self) else np.zeros(0, np.int64)
        return int((widths * np.diff(self.bounds)).sum())

    def rows(self, batch: int, shard: Shard) -> slice:
        """Which windows a rank has in a batch."""
        return slice(int(self.bounds[batch]) + shard.rank, int(self.bounds[batch + 1]), shard.world_size)

    def num_targets(self, batch: int) -> int:
        return int(self.clicks_before[batch + 1] - self.clicks_before[batch])

    def clicks_from(self, first: int) -> int:
        """Targets of the batches from `first` on, all ranks together."""
        return int(self.clicks_before[-1] - self.clicks_before[first])


class TrainingBatches:
    """Every epoch's batches, from any batch on. With several ranks a batch holds a budget for each, dealt by rows."""

    def __init__(self, dataset: Dataset, *, max_length: int, token_budget: int, windows: WindowKind, seed: int) -> None:
        self.dataset = dataset
        self.max_length = max_length
        self.token_budget = token_budget
        self.cut = CUTS[windows]
        self.seed = seed

    def is_empty(self) -> bool:
        return len(training_windows(self.dataset.histories, self.dataset.split)) == 0

    def plan(self, epoch: int, shard: Shard) -> EpochPlan:
        random = np.random.default_rng([self.seed, epoch])
        whole = training_windows(self.dataset.histories, self.dataset.split)
        windows = self.cut(whole, self.max_length, random)
        return EpochPlan(windows, token_budget=self.token_budget * shard.world_size, random=random)

    def iterate(
        self, plan: EpochPlan, *, first: int, shard: Shard, clicks: Clicks | None = None
    ) -> Iterator[SequenceBatch]:
        """On the device of `clicks`; without, on the CPU from the mapped files, times included."""
        histories = self.dataset.histories
        clicks = clicks or MappedClicks(histories.items, histories.times, torch.device("cpu"))
        read = clicks.reader(plan.windows)
        for batch in range(first, len(plan)):
            rows = plan.rows(batch, shard)
            yield lay_out(read(rows), lengths=plan.lengths[rows], num_targets=plan.num_targets(batch))
