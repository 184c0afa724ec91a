"""Simulated logs, prepared through the real pipeline, one of each kind of split."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from recsys.data.config import DataConfig
from recsys.data.dataset import Dataset, open_dataset
from recsys.data.prepare import prepare
from recsys.data.simulate import simulate_log
from recsys.data.simulation_config import SimulationConfig

KINDS = ("by_time", "leave_last_out", "by_column")
FEATURES = [{"column": "category"}, {"column": "department"}, {"column": "tags", "separator": "|"}]
SPLITS: dict[str, dict[str, Any]] = {"by_column": {"column": "part", "test_values": ["test"]}}


@dataclass(frozen=True)
class Log:
    """A click log and an item table that can be edited before they are prepared."""

    clicks: pl.DataFrame
    items: pl.DataFrame
    directory: Path

    def config(self, kind: str, features: list[dict[str, Any]] = FEATURES, **events: Any) -> DataConfig:
        paths = {name: self.directory / f"{name}.parquet" for name in ("clicks", "items")}
        return DataConfig.model_validate(
            {
                "events": {"path": paths["clicks"], **events},
                "items": {"path": paths["items"], "features": features},
                "split": {"kind": kind, **SPLITS.get(kind, {})},
            }
        )

    def prepare(self, kind: str, **changes: Any) -> Dataset:
        self.directory.mkdir(exist_ok=True)
        self.clicks.write_parquet(self.directory / "clicks.parquet")
        self.items.write_parquet(self.directory / "items.parquet")
        prepare(self.config(kind, **changes), self.directory / kind, seed=0)
        return open_dataset(self.directory / kind)

    def having(self, directory: Path, **frames: pl.DataFrame) -> "Log":
        return replace(self, directory=directory, **frames)


def simulated(directory: Path, *, seed: int, num_users: int, num_items: int, num_clicks: int) -> Log:
    """A third of the users, by their number, is in the test part of a split by column."""
    values = {"seed": seed, "num_users": num_users, "num_items": num_items, "num_clicks": num_clicks}
    log = simulate_log(SimulationConfig.model_validate(values), directory / "simulated.parquet")
    is_test = pl.col("user_id").str.slice(1).cast(pl.Int64) % 3 == 0
    part = pl.when(is_test).then(pl.lit("test")).otherwise(pl.lit("train")).alias("part")
    return Log(pl.read_parquet(log.clicks).with_columns(part), pl.read_parquet(log.items), directory / "log")


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    directory = tmp_path_factory.mktemp("simulated")
    return simulated(directory, seed=3, num_users=600, num_items=400, num_clicks=9000)


@pytest.fixture(scope="session")
def prepared(log: Log) -> Callable[[str], Dataset]:
    """A function from a kind of split to the clean dataset."""
    datasets = {kind: log.prepare(kind) for kind in KINDS}
    return lambda kind: datasets[kind]


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)
