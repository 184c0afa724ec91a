"""A catalogue of a million items trains, on samples, about as fast as one of a few thousand."""

import statistics
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recsys.benchmark.machine import Load
from recsys.benchmark.train import benchmark_training
from recsys.data.config import DataConfig
from recsys.data.dataset import Dataset, open_dataset
from recsys.data.prepare import prepare
from recsys.model.retriever import RetrieverConfig
from recsys.training.config import TrainingConfig
from recsys.training.retrieval_job import RetrievalJob

SMALL, LARGE = 3_416, 1_000_000
USERS, CLICKS = 20_000, 2_000_000
# The system's own threads, which write checkpoints of 1 GB to disk, take some percent.
MOST_OTHERS = 0.2


def catalogue(num_items: int, directory: Path) -> Dataset:
    """Every item is clicked; what is left of the clicks follows Zipf's law. Histories are the same for any number."""
    random = np.random.default_rng(0)
    popular = np.minimum(random.zipf(1.2, CLICKS), num_items) - 1
    items = random.permutation(np.concatenate([np.arange(num_items), popular])[:CLICKS])
    users = np.sort(random.integers(USERS, size=CLICKS))
    log = pl.DataFrame({"user_id": users, "item_id": items, "timestamp": 1_600_000_000 + np.arange(CLICKS)})
    log.write_parquet(directory / "clicks.parquet")
    config = {"events": {"path": directory / "clicks.parquet"}, "split": {"kind": "leave_last_out"}}
    prepare(DataConfig.model_validate(config), directory / "dataset", seed=0)
    return open_dataset(directory / "dataset")


@pytest.mark.slow
def test_a_million_items_train_at_six_tenths_of_the_speed_of_a_few_thousand(tmp_path):
    speeds: dict[int, list[float]] = {SMALL: [], LARGE: []}
    jobs = {}
    for num_items in speeds:
        (tmp_path / str(num_items)).mkdir()
        jobs[num_items] = RetrievalJob(
            dataset=catalogue(num_items, tmp_path / str(num_items)),
            model=RetrieverConfig(),
            training=TrainingConfig.model_validate(
                {"objective": {"kind": "sampled_softmax"}, "device": "cpu", "validation_users": 50}
            ),
            exclude_seen=True,
            seed=0,
            directory=tmp_path / str(num_items) / "model",
        )
        assert len(jobs[num_items].dataset.items) == num_items
    loads = []
    for _ in range(3):
        for num_items, speed in speeds.items():
            found = benchmark_training(jobs[num_items], seconds=6, tell=lambda _: None)
            print(f"{num_items:,} items:", *found.lines(), sep="\n  ")
            speed.append(found.clicks_per_second)
            loads.append(found.load)
    ratio = statistics.median(large / small for small, large in zip(speeds[SMALL], speeds[LARGE], strict=True))
    print(f"a million items at {ratio:.0%} of the speed of {SMALL:,}")
    worst = Load.worst(loads)
    if worst.others is None or worst.others > MOST_OTHERS:
        pytest.skip(f"nothing can be said of speed here: {worst.line()}")
    assert ratio >= 0.6
