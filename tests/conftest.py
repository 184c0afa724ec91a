"""A small prepared dataset for every room, and where the real data lies, if it does."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recsys.data.config import DataConfig
from recsys.data.dataset import Dataset, open_dataset
from recsys.data.prepare import prepare

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data; tests that need it skip where it is missing."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"the real data is not at {SHARED / 'data'}")
    return SHARED / "data"


def small_log(seed: int = 0, num_users: int = 60, num_items: int = 40) -> pl.DataFrame:
    """Users who walk along a circle of items, a few steps at a time; ids are text, times unique seconds."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(num_users):
        item = int(random.integers(num_items))
        for _ in range(int(random.integers(2, 25))):
            item = (item + int(random.integers(1, 4))) % num_items
            rows.append((f"u{user:03}", f"i{item:03}"))
    times = 1_700_000_000 + np.sort(random.choice(10**6, len(rows), replace=False))
    order = random.permutation(len(rows))
    users, items = zip(*(rows[place] for place in order), strict=True)
    return pl.DataFrame({"user_id": users, "item_id": items, "timestamp": times})


@pytest.fixture(scope="session")
def small_log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "clicks.parquet"
    small_log().write_parquet(path)
    return path


@pytest.fixture(scope="session")
def small_dataset(small_log_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """60 users, 40 items, leave-last-out."""
    directory = tmp_path_factory.mktemp("prepared") / "dataset"
    config = DataConfig.model_validate({"events": {"path": small_log_file}, "split": {"kind": "leave_last_out"}})
    prepare(config, directory, seed=0)
    return open_dataset(directory)
