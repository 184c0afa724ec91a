"""How leaks are planted: in a garden, a clean log and a directory for what is made of it, and audited all the same."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from recsys.data.dataset import MANIFEST, Dataset, DatasetManifest, open_dataset
from recsys.data.histories import Histories
from recsys.data.split import Split
from recsys.evaluation.audit.data import audit_data
from recsys.evaluation.audit.findings import Finding
from recsys.evaluation.audit.intervention import System, audit_systems
from recsys.evaluation.audit.rankings import audit_rankings
from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import Ranking, rank
from tests.evaluation.audit import systems
from tests.evaluation.audit.conftest import Log

HONEST = {"popular": systems.popular, "following": systems.following}


@dataclass(frozen=True)
class Garden:
    """Where leaks are planted: a clean log, and a directory for what is made of it."""

    log: Log
    directory: Path

    def dataset(self, kind: str) -> Dataset:
        return self.log.having(self.directory / "clean").prepare(kind)


def audited(questions: Questions, planted: Mapping[str, System] | None = None) -> list[Finding]:
    """Everything that an evaluation runs."""
    present = {**HONEST, **(planted or {})}
    rankings = {name: ranked(questions, system) for name, system in present.items()}
    of_systems = audit_systems(questions, present, seed=0)
    return [*audit_data(questions), *of_systems, *audit_rankings(questions, rankings)]


def ranked(questions: Questions, system: System) -> Ranking:
    return rank(questions, system(questions), k=12, advance=lambda users: None)


def asked(dataset: Dataset, **changes: Any) -> Questions:
    return replace(Questions.of_test(dataset, exclude_seen=True), **changes)


def with_files(dataset: Dataset, directory: Path, **arrays: np.ndarray) -> Dataset:
    """Other arrays in a dataset's files, the masks of its items as its split would have them, and right checksums."""
    shutil.copytree(dataset.directory, directory)
    for name, array in arrays.items():
        np.save(directory / f"{name}.npy", array)
    histories, split = Histories.open(directory), Split.open(directory)
    if (split.train_end <= split.validation_end).all():
        trained = np.zeros_like(dataset.trained_items)
        trained[histories.items[split.in_training(histories)]] = True
        masks = {"trained_items": trained} | ({"candidates": trained} if dataset.skips_untrained else {})
        for name in masks.keys() - arrays.keys():
            np.save(directory / f"{name}.npy", masks[name])
    (directory / MANIFEST).unlink()
    manifest = dataset.manifest
    DatasetManifest.of(directory, split=manifest.split, time_kind=manifest.time_kind).save(directory)
    return open_dataset(directory)


def someone(dataset: Dataset, *, training: int = 3) -> tuple[int, int]:
    """A test user with so many training clicks and a few more, and the position of the target."""
    held_out = dataset.split.test(dataset.histories)
    users = held_out.users
    clicks = dataset.split.train_end[users] - dataset.histories.offsets[users]
    tests = dataset.histories.offsets[users + 1] - dataset.split.validation_end[users]
    row = int(np.flatnonzero((clicks >= training) & (tests == tests.max()))[0])
    return int(users[row]), int(held_out.positions[row])
