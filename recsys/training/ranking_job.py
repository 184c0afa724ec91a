"""Trains a ranker on the examples of a prepared dataset."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from recsys.data.dataset import Dataset
from recsys.data.example_batches import ExampleBatches, ExampleReader, RankingBatch
from recsys.data.examples import Examples
from recsys.durable import fingerprint
from recsys.errors import DataError
from recsys.model.ranking.ranker import Ranker, RankerConfig
from recsys.model.ranking.store import save_ranker
from recsys.section import flatten
from recsys.training.hardware import Hardware
from recsys.training.identity import Identity
from recsys.training.keep_best import Judge
from recsys.training.loaders import current_shard
from recsys.training.outcome import Save
from recsys.training.progress import Progress
from recsys.training.ranking_config import RankerTrainingConfig
from recsys.training.ranking_judge import RankingJudge
from recsys.training.ranking_task import RankingTask


@dataclass(frozen=True)
class RankingJob:
    """An engine.Job."""

    dataset: Dataset
    examples: Examples
    validation: Examples
    model: RankerConfig
    training: RankerTrainingConfig
    seed: int
    directory: Path
    initial_items: torch.Tensor | None = None
    """[items + 1, dim] what the embeddings of items begin as; None: at random."""

    def identity(self) -> Identity:
        parts = [part.fingerprint() for part in (self.examples, self.validation)]
        values = {"seed": str(self.seed), "the examples": fingerprint(self.dataset.fingerprint, *parts)}
        if self.initial_items is not None:
            values["the retriever's item vectors"] = hashlib.sha256(self.initial_items.numpy().tobytes()).hexdigest()
        for name, section in (("ranker.model", self.model), ("ranker.training", self.training)):
            values |= {f"{name}.{key}": value for key, value in flatten(section).items()}
        return Identity.of_values(values)

    @property
    def save(self) -> Save:
        return save_ranker

    def task(self) -> RankingTask:
        torch.manual_seed(self.seed)
        ranker = Ranker.for_dataset(self.model, self.dataset)
        if self.initial_items is not None:
            ranker.items.begin(self.initial_items)
        return RankingTask(ranker, self.training.objective, self.training.optimizer)

    def loader(self, progress: Progress, hardware: Hardware) -> Iterable[Any]:
        require_both_kinds(self.examples)
        reader = ExampleReader(self.dataset, self.examples, self.model.max_length)
        batches = ExampleBatches(reader, batch_size=self.training.batch_size, seed=self.seed)
        return ExampleLoader(batches, progress, torch.device(hardware.device))

    def judge(self) -> Judge:
        reader = ExampleReader(self.dataset, self.validation, self.model.max_length)
        return RankingJudge(reader, self.training.objective.metric)

    def callbacks(self) -> list[pl.Callback]:
        return []


class ExampleLoader:
    """Each `iter` reads the epoch and the first batch from `progress`."""

    def __init__(self, batches: ExampleBatches, progress: Progress, device: torch.device) -> None:
        self.batches = batches
        self.progress = progress
        self.device = device

    def __iter__(self) -> Iterator[RankingBatch]:
        shard = current_shard()
        plan = self.batches.plan(self.progress.epoch, shard)
        self.progress.batches_per_epoch = len(plan)
        self.progress.clicks_ahead = plan.clicks_from(self.progress.batch)
        for batch in self.batches.iterate(plan, first=self.progress.batch, shard=shard):
            yield batch.to(self.device)


def require_both_kinds(examples: Examples) -> None:
    """DataError where there is nothing to tell apart."""
    found = np.unique(examples.labels)
    if len(found) < 2:
        told = f"every label of its {len(examples):,} examples is {found[0]}" if len(found) else "it has no examples"
        raise DataError(
            f"a ranker learns to tell clicks from other examples, and in the training part {told}: "
            "check data.events.columns.label, or use ranker.examples.kind=sampled"
        )
