"""A small offline job."""

import itertools
import os
import signal
from pathlib import Path

import polars as pl

from recsys import durable
from recsys.bundle.opened import open_bundle
from recsys.data.dataset import Dataset, open_dataset
from recsys.offline.recommend import OfflineResult, recommend_users
from recsys.offline.requests import requests_of
from recsys.recommend_config import RecommendConfig
from recsys.recommender import Recommender


class Asked:
    """One bundle and its dataset; `ask` takes keys of the `recommend` section."""

    def __init__(self, workdir: Path) -> None:
        self.recommender = Recommender(open_bundle(workdir / "bundle"))
        self.dataset: Dataset = open_dataset(workdir / "dataset")
        self.told: list[str] = []

    def ask(self, directory: Path, **keys: object) -> OfflineResult:
        config = RecommendConfig.model_validate({"k": 5, "part_size": 7, **keys})
        requests = requests_of(config, self.dataset, self.recommender.bundle.items)
        return recommend_users(self.recommender, requests, directory, config, tell=self.told.append)


def lists_in(directory: Path) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path) for path in sorted(directory.glob("*.parquet"))])


def by_user(directory: Path) -> dict[object, list[tuple[object, float, str]]]:
    """Each user's (item, score, source), the ranks being 1, 2, 3 ... in one stretch of rows."""
    found: dict[object, list[tuple[object, float, str]]] = {}
    for user, item, rank, score, source in lists_in(directory).iter_rows():
        assert rank == len(found.setdefault(user, [])) + 1, "a user is here twice, or rows are out of order"
        found[user].append((item, score, source))
    return found


def killed_at(step: int, workdir: Path, directory: Path) -> None:
    """The job in this process, which gets SIGKILL before its step-th durable write."""
    asked, steps = Asked(workdir), itertools.count(1)

    def before_write(_: Path) -> None:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    durable.before_write = before_write
    asked.ask(directory, part_size=1)
