"""Trains a retriever on a prepared dataset."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from recsys.data.batches import TrainingBatches
from recsys.data.dataset import Dataset
from recsys.errors import DataError
from recsys.model.retriever import Retriever, RetrieverConfig
from recsys.model.store import save_retriever
from recsys.training.compiling import CompileEncoder
from recsys.training.config import TrainingConfig
from recsys.training.hardware import Hardware
from recsys.training.identity import Identity
from recsys.training.keep_best import Judge
from recsys.training.layouts import LAYOUTS
from recsys.training.loaders import EpochLoader
from recsys.training.outcome import Save
from recsys.training.progress import Progress
from recsys.training.retrieval_task import RetrievalTask
from recsys.training.validation import Validator


@dataclass(frozen=True)
class RetrievalJob:
    """An engine.Job. `exclude_seen`: validation skips what the user clicked before."""

    dataset: Dataset
    model: RetrieverConfig
    training: TrainingConfig
    exclude_seen: bool
    seed: int
    directory: Path

    def identity(self) -> Identity:
        return Identity.of(
            dataset=self.dataset.fingerprint,
            seed=self.seed,
            exclude_seen=self.exclude_seen,
            model=self.model,
            training=self.training,
        )

    @property
    def save(self) -> Save:
        return save_retriever

    def task(self) -> RetrievalTask:
        return build_task(self)

    def loader(self, progress: Progress, hardware: Hardware) -> Iterable[Any]:
        device = torch.device(hardware.device)
        return EpochLoader(build_batches(self), progress, device, reads_times=self.model.reads_times)

    def judge(self) -> Judge:
        max_users = self.training.validation_users
        return Validator(self.dataset, exclude_seen=self.exclude_seen, max_users=max_users, seed=self.seed)

    def callbacks(self) -> list[pl.Callback]:
        return [CompileEncoder()] if self.training.compile else []


def build_task(job: RetrievalJob) -> RetrievalTask:
    """A fresh retriever, drawn from the seed alone."""
    torch.manual_seed(job.seed)
    dataset = job.dataset
    retriever = Retriever.for_catalogue(
        job.model, len(dataset.items), dataset.features.inputs, lifetime=dataset.training_lifetime()
    )
    counts_V = torch.from_numpy(dataset.training_counts())
    objective = job.training.objective.build(counts_V, torch.tensor(dataset.candidates))
    task = RetrievalTask(retriever, objective, job.training.optimizer, LAYOUTS[job.training.layout])
    for tower in task.sampled_towers:
        tower.has_sparse_gradient = job.training.devices == 1  # ranks exchange dense ones only
    return task


def build_batches(job: RetrievalJob) -> TrainingBatches:
    batches = TrainingBatches(
        job.dataset,
        max_length=job.model.max_length,
        token_budget=job.training.batch_tokens,
        windows=job.training.windows,
        seed=job.seed,
    )
    if batches.is_empty():
        raise DataError(
            "nothing to train on: no user has two clicks in the training part; "
            "give a longer log, or a smaller data.split.test_share"
        )
    return batches
