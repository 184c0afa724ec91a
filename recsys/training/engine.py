"""Trains whatever a job describes, and leaves its best weights in a directory; resumes by itself."""

import shutil
import signal
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from multiprocessing import active_children
from pathlib import Path
from typing import Any, Protocol

import pytorch_lightning as pl
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from recsys.durable import sweep
from recsys.errors import Interrupted
from recsys.training.averaging import WeightAverage
from recsys.training.checkpoints import DurableCheckpointIO, newest_checkpoint, remove_checkpoints
from recsys.training.clock import Clock
from recsys.training.hardware import Hardware, choose_hardware
from recsys.training.identity import Identity, refusal
from recsys.training.interrupts import Forwarding
from recsys.training.keep_best import Judge, KeepBest
from recsys.training.outcome import RECORD, Finish, Save, TrainingOutcome, read_outcome
from recsys.training.progress import Progress
from recsys.training.quiet import without_chatter
from recsys.training.ranks import error_of_rank
from recsys.training.reporting import EpochRecord, ProgressBar, Reporter
from recsys.training.schedule import ScheduleConfig
from recsys.training.task import Task


class Job(Protocol):
    """What is to be trained, how long and on what, and where it is left."""

    @property
    def training(self) -> ScheduleConfig: ...

    @property
    def seed(self) -> int: ...

    @property
    def directory(self) -> Path: ...

    @property
    def save(self) -> Save:
        """How the best weights are written."""

    def identity(self) -> Identity:
        """All that the weights are a function of."""

    def task(self) -> Task:
        """A fresh one, drawn from the seed alone."""

    def loader(self, progress: Progress, hardware: Hardware) -> Iterable[Any]:
        """Each `iter` gives what is left of the current epoch."""

    def judge(self) -> Judge: ...

    def callbacks(self) -> list[pl.Callback]:
        """Of this job alone."""


def fit(
    job: Job,
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
    job: Job,
    hardware: Hardware,
    checkpoint: Path | None,
    on_epoch: Callable[[EpochRecord], None] | None,
    *,
    callbacks: Sequence[pl.Callback] = (),
) -> None:
    progress = Progress(precision=hardware.precision)
    # a listener lives in this process; with several, they train elsewhere and it is told afterwards
    listeners = [on_epoch] if on_epoch is not None and hardware.devices == 1 else []
    loader = job.loader(progress, hardware)
    with without_chatter(), _signals(hardware) as signals:
        trainer = build_trainer(job, hardware, progress, listeners, callbacks)
        try:
            trainer.fit(job.task(), loader, ckpt_path=checkpoint, weights_only=True)
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
    job: Job,
    hardware: Hardware,
    progress: Progress,
    listeners: list[Callable[[EpochRecord], None]],
    callbacks: Sequence[pl.Callback] = (),
) -> pl.Trainer:
    average = WeightAverage(job.training.average_decay)
    keep_best = KeepBest(job.judge(), average, job.training.patience)
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
            Finish(progress, keep_best, reporter, job.directory, job.save),
            *job.callbacks(),
            *callbacks,
        ],
        plugins=[DurableCheckpointIO()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )


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
