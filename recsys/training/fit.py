"""Trains a retriever on a prepared dataset and leaves its best weights in a directory; resumes by itself."""

import shutil
import signal
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from multiprocessing import active_children
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from recsys.data.batches import TrainingBatches
from recsys.data.dataset import Dataset
from recsys.durable import sweep
from recsys.errors import DataError, Interrupted
from recsys.model.retriever import Retriever, RetrieverConfig
from recsys.training.averaging import WeightAverage
from recsys.training.checkpoints import DurableCheckpointIO, newest_checkpoint, remove_checkpoints
from recsys.training.clock import Clock
from recsys.training.compiling import CompileEncoder
from recsys.training.config import TrainingConfig
from recsys.training.hardware import Hardware, choose_hardware
from recsys.training.identity import Identity, refusal
from recsys.training.interrupts import Forwarding
from recsys.training.layouts import LAYOUTS
from recsys.training.loaders import EpochLoader
from recsys.training.outcome import RECORD, Finish, TrainingOutcome, read_outcome
from recsys.training.progress import Progress
from recsys.training.quiet import without_chatter
from recsys.training.ranks import error_of_rank
from recsys.training.reporting import EpochRecord, ProgressBar, Reporter
from recsys.training.retrieval_task import RetrievalTask
from recsys.training.validation import KeepBest, Validator


@dataclass(frozen=True)
class RetrievalJob:
    """What is to be trained, and where it is left. `exclude_seen`: validation skips what the user clicked before."""

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


def fit_retriever(
    job: RetrievalJob,
    *,
    restart: bool = False,
    tell: Callable[[str], None] = print,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> TrainingOutcome:
    """Best weights under `job.directory`; goes on from a checkpoint there, returns at once where training had finished.

    A finished training of another configuration gives way; an unfinished one is a ConfigError, unless `restart`.
    Raises Interrupted after a signal.
    """
    identity = job.identity()
    differences = identity.differences(job.directory)
    if differences and not restart and read_outcome(job.directory) is None:
        raise refusal(job.directory, differences)
    if differences:
        tell(f"training anew: {differences}")
    if differences or restart:
        forget(job.directory)
    job.directory.mkdir(parents=True, exist_ok=True)
    sweep(job.directory)
    identity.claim(job.directory)
    if read_outcome(job.directory) is None:
        hardware = choose_hardware(job.training)
        checkpoint = newest_checkpoint(job.directory)
        tell(f"training on {hardware}" + ("" if checkpoint is None else f", going on from {checkpoint}"))
        train(job, hardware, checkpoint, on_epoch)
    outcome = read_outcome(job.directory)
    assert outcome is not None
    remove_checkpoints(job.directory)
    return outcome


def train(
    job: RetrievalJob,
    hardware: Hardware,
    checkpoint: Path | None,
    on_epoch: Callable[[EpochRecord], None] | None,
    *,
    callbacks: Sequence[pl.Callback] = (),
) -> None:
    progress = Progress(precision=hardware.precision)
    # a listener lives in this process; with several, they train elsewhere and it is told afterwards
    listeners = [on_epoch] if on_epoch is not None and hardware.devices == 1 else []
    device, reads_times = torch.device(hardware.device), job.model.reads_times
    loader = EpochLoader(build_batches(job), progress, device, reads_times=reads_times)
    with without_chatter(), _signals(hardware) as signals:
        trainer = build_trainer(job, hardware, progress, listeners, callbacks)
        try:
            trainer.fit(build_task(job), loader, ckpt_path=checkpoint, weights_only=True)
        except SIGTERMException as error:
            raise Interrupted(signal.SIGTERM) from error
        except (ProcessRaisedException, ProcessExitedException) as error:
            if signals.received is not None:
                raise Interrupted(signals.received) from error
            raise error_of_rank(error) or error from None
    if on_epoch is not None and hardware.devices > 1:
        outcome = read_outcome(job.directory)
        for record in outcome.history if outcome else ():
            on_epoch(record)


def build_trainer(
    job: RetrievalJob,
    hardware: Hardware,
    progress: Progress,
    listeners: list[Callable[[EpochRecord], None]],
    callbacks: Sequence[pl.Callback] = (),
) -> pl.Trainer:
    validator = Validator(
        job.dataset, exclude_seen=job.exclude_seen, max_users=job.training.validation_users, seed=job.seed
    )
    average = WeightAverage(job.training.average_decay)
    keep_best = KeepBest(validator, average, job.training.patience)
    reporter = Reporter(progress, keep_best, listeners)
    return pl.Trainer(
        strategy=hardware.strategy(),
        accelerator="gpu" if hardware.device == "cuda" else "cpu",
        devices=hardware.devices,
        precision=hardware.precision,
        max_epochs=-1,
        min_epochs=0,
        callbacks=[
            average,
            keep_best,
            ProgressBar(progress, keep_best, job.training.max_epochs),
            reporter,
            Clock(job.training, progress, keep_best, seed=job.seed, directory=job.directory),
            Finish(progress, keep_best, reporter, job.directory),
            *([CompileEncoder()] if job.training.compile else []),
            *callbacks,
        ],
        plugins=[DurableCheckpointIO()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )


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


def forget(directory: Path) -> None:
    """What was trained there; in an order that leaves, wherever it is stopped, nothing that could pass for a model."""
    if directory.exists():
        (directory / RECORD).unlink(missing_ok=True)
        remove_checkpoints(directory)
        shutil.rmtree(directory)


def _signals(hardware: Hardware) -> AbstractContextManager[Forwarding]:
    """One process notes signals itself; of several, this one passes them on to those that train."""
    forwarding = Forwarding(_stop_children)
    return nullcontext(forwarding) if hardware.devices == 1 else forwarding.installed()


def _stop_children() -> None:
    for child in active_children():
        child.terminate()
