"""Fits every baseline on ten million simulated clicks, in a process of its own, and prints what it took."""

import json
import re
import time
from pathlib import Path

import numpy as np
import torch

from recsys.data.dataset import Dataset, DatasetManifest
from recsys.data.events.times import A_DAY
from recsys.data.feature_table import Features
from recsys.data.histories import Histories
from recsys.data.split import split_leave_last_out
from recsys.data.vocabulary import NumberVocabulary
from recsys.evaluation.baselines.item_knn import ItemKNN
from recsys.evaluation.questions import Questions
from tests.evaluation.baselines.test_contract import BASELINES

CLICKS, USERS, ITEMS = 10_000_000, 100_000, 30_000
NEARBY = 200
"""Half of the clicks are on popular items, half on this many that lie near the user's taste."""


def histories(random):
    shares = random.lognormal(0.0, 1.0, USERS)
    lengths = np.maximum(3, CLICKS * shares / shares.sum()).astype(np.int64)
    offsets = np.concatenate([[0, 0], np.cumsum(lengths)])
    users, total = np.repeat(np.arange(USERS), lengths), int(offsets[-1])
    popular = (ITEMS ** random.random(total)).astype(np.int64) % ITEMS
    tastes = random.integers(0, ITEMS, USERS)[users] + random.integers(0, NEARBY, total)
    items = np.where(random.random(total) < 0.5, popular, tastes % ITEMS).astype(np.int32) + 1
    times = random.integers(0, 365 * A_DAY, total)
    return Histories(items, times[np.lexsort((times, users))], offsets)


def simulated():
    clicks = histories(np.random.default_rng(0))
    everything = np.arange(ITEMS + 1) > 0
    return Dataset(
        directory=Path("nowhere"),
        manifest=DatasetManifest(split="leave_last_out", time_kind="calendar", files={}, fingerprint="simulated"),
        users=NumberVocabulary(np.arange(1, USERS + 1, dtype=np.int32)),
        items=NumberVocabulary(np.arange(1, ITEMS + 1, dtype=np.int32)),
        histories=clicks,
        split=split_leave_last_out(clicks),
        trained_items=everything,
        candidates=everything,
        features=Features(),
        titles=None,
    )


def main():
    torch.set_num_threads(1)
    questions = Questions.of_test(simulated(), exclude_seen=True)
    seconds = {}
    for name, baseline in {**BASELINES, "item-knn": ItemKNN}.items():
        start = time.perf_counter()
        baseline(questions)
        seconds[name] = time.perf_counter() - start
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])
    print(json.dumps({"seconds": seconds, "megabytes": peak / 1024}))


if __name__ == "__main__":
    main()
