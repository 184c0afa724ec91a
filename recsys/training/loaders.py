"""What Lightning iterates: the current epoch's batches, from the next one on."""

from collections.abc import Iterator
from functools import cached_property

import torch
import torch.distributed as dist

from recsys.data.batches import SequenceBatch, Shard, TrainingBatches
from recsys.data.clicks import Clicks
from recsys.training.hardware import free_memory, place_clicks
from recsys.training.progress import Progress


class EpochLoader:
    """Each `iter` reads the epoch and the first batch from `progress`, so a resumed epoch yields just what is left."""

    def __init__(
        self, batches: TrainingBatches, progress: Progress, device: torch.device, *, reads_times: bool
    ) -> None:
        self.batches = batches
        self.reads_times = reads_times
        self.progress = progress
        self.device = device

    def __iter__(self) -> Iterator[SequenceBatch]:
        shard = current_shard()
        plan = self.batches.plan(self.progress.epoch, shard)
        self.progress.batches_per_epoch = len(plan)
        self.progress.clicks_ahead = plan.clicks_from(self.progress.batch)
        return self.batches.iterate(plan, first=self.progress.batch, shard=shard, clicks=self._clicks)

    @cached_property
    def _clicks(self) -> Clicks:
        """Placed by the process that trains: of several ranks, none is the one that made this loader."""
        histories = self.batches.dataset.histories
        times = histories.times if self.reads_times else None
        return place_clicks(histories.items, times, self.device, free_bytes=free_memory(self.device))


def current_shard() -> Shard:
    """This process's share of every batch."""
    return Shard(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else Shard()
