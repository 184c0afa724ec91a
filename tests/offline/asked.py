"""A small offline job, also as a process of its own: python -m tests.offline.asked WORKDIR DIRECTORY STEP."""

import itertools
import os
import signal
import sys
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


def kill_myself_at(step: int) -> None:
    """SIGKILL before the step-th durable write from now."""
    steps = itertools.count(1)

    def before_write(_: Path) -> None:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    durable.before_write = before_write


if __name__ == "__main__":
    asked = Asked(Path(sys.argv[1]))
    kill_myself_at(int(sys.argv[3]))
    asked.ask(Path(sys.argv[2]), part_size=1)
