"""What a finished training leaves: the best weights, and a record of how it went."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from torch import nn

from recsys.durable import replaced_directory, write_json
from recsys.model.retriever import Retriever
from recsys.model.store import load_retriever
from recsys.section import Section
from recsys.training.keep_best import KeepBest
from recsys.training.progress import Progress
from recsys.training.reporting import EpochRecord, Reporter
from recsys.training.task import Task

RECORD = "training.json"
BEST = "best"


class TrainingOutcome(Section):
    """`validation` is the best epoch's score, NDCG@10 of a retriever; None where nobody validates."""

    best_epoch: int
    validation: float | None
    steps: int
    clicks: int
    minutes: float
    history: tuple[EpochRecord, ...]


def read_outcome(directory: Path) -> TrainingOutcome | None:
    """None where no training has finished, or its weights are gone."""
    path = directory / RECORD
    if not (path.exists() and (directory / BEST).is_dir()):
        return None
    return TrainingOutcome.read(path, remedy="train again with --restart")


def load_best(directory: Path) -> Retriever:
    """The best weights of a finished training, in evaluation mode on the CPU."""
    return load_retriever(directory / BEST)


Save = Callable[[nn.Module, Path], object]
"""Writes a model into a directory; a function of a module, so that other processes can be told of it."""


class Finish(pl.Callback):
    """Writes the best weights, then the record: who finds the record finds the weights."""

    def __init__(
        self, progress: Progress, keep_best: KeepBest, reporter: Reporter, directory: Path, save: Save
    ) -> None:
        self.save = save
        self.progress = progress
        self.keep_best = keep_best
        self.reporter = reporter
        self.directory = directory

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if not trainer.is_global_zero:
            return
        assert isinstance(pl_module, Task)
        pl_module.model.load_state_dict(self.keep_best.weights)
        with replaced_directory(self.directory / BEST) as temporary:
            self.save(pl_module.model, temporary)
        outcome = TrainingOutcome(
            best_epoch=self.keep_best.best_epoch,
            validation=self.keep_best.best,
            steps=self.progress.step,
            clicks=self.progress.clicks,
            minutes=self.progress.seconds / 60,
            history=tuple(self.reporter.history),
        )
        write_json(self.directory / RECORD, outcome.model_dump(mode="json"))
