"""Batches of windows: bucketed by length under a token budget, built whole from the flat arrays, resumable.

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

from recsys.data.dataset import Dataset
from recsys.data.vocabulary import PADDING
from recsys.data.windows import CUTS, Int64, WindowKind, Windows, training_windows

# Windows whose lengths differ by less than this factor may share a batch, so that batches differ from epoch to epoch.
BUCKET_RATIO = 1.1


@dataclass(frozen=True)
class SequenceBatch:
    """Right-padded clicks and what follows each of them; `targets_BL` is PADDING where there is nothing to predict.

    `num_targets` counts the targets of the whole batch, those on other ranks included.
    """

    items_BL: Tensor
    times_BL: Tensor | None
    lengths_B: Tensor
    targets_BL: Tensor
    users_B: Tensor
    num_targets: int

    def to(self, device: torch.device) -> "SequenceBatch":
        return SequenceBatch(
            self.items_BL.to(device, non_blocking=True),
            None if self.times_BL is None else self.times_BL.to(device, non_blocking=True),
            self.lengths_B.to(device, non_blocking=True),
            self.targets_BL.to(device, non_blocking=True),
            self.users_B.to(device, non_blocking=True),
            self.num_targets,
        )


def gather_padded(values: NDArray[np.generic], starts: Int64, lengths: Int64) -> Tensor:
    """[B, max(lengths)] int64: row b is values[starts[b] : starts[b] + lengths[b]], then PADDING."""
    column = np.arange(max(1, int(lengths.max(initial=0))))
    real = column < lengths[:, None]
    index = np.where(real, starts[:, None] + column, 0)
    return torch.from_numpy(np.where(real, values[index], PADDING).astype(np.int64))


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


class EpochPlan:
    """The batches of one epoch, in order. The same arguments give the same plan, on every rank."""

    def __init__(self, windows: Windows, *, token_budget: int, random: np.random.Generator) -> None:
        shuffled = random.permutation(len(windows))
        bucket = np.floor(np.log(windows.lengths[shuffled]) / np.log(BUCKET_RATIO))
        by_length = shuffled[np.argsort(bucket, kind="stable")]
        # within a bucket lengths differ a little: the running maximum is what a row costs
        cost = np.maximum.accumulate(windows.lengths[by_length])
        batches = length_buckets(cost, token_budget)
        self.windows = windows
        self.batches = [by_length[batches[index]] for index in random.permutation(len(batches))]

    def __len__(self) -> int:
        return len(self.batches)

    def clicks_from(self, first: int) -> int:
        """Targets of the batches from `first` on, all ranks together."""
        return sum(int(self.windows.lengths[rows].sum()) for rows in self.batches[first:])


@dataclass(frozen=True)
class Shard:
    """Which rows of every batch this process takes: each `world_size`-th, beginning with its rank."""

    rank: int = 0
    world_size: int = 1


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

    def iterate(self, plan: EpochPlan, *, first: int, shard: Shard) -> Iterator[SequenceBatch]:
        for rows in plan.batches[first:]:
            num_targets = int(plan.windows.lengths[rows].sum())
            yield self.build(plan.windows.take(rows[shard.rank :: shard.world_size]), num_targets)

    def build(self, windows: Windows, num_targets: int) -> SequenceBatch:
        return SequenceBatch(
            items_BL=gather_padded(self.dataset.histories.items, windows.starts, windows.lengths),
            times_BL=None,  # no mixer reads them yet
            lengths_B=torch.from_numpy(windows.lengths),
            targets_BL=gather_padded(self.dataset.histories.items, windows.starts + 1, windows.lengths),
            users_B=torch.from_numpy(windows.users),
            num_targets=num_targets,
        )
