"""Two million rows with ids of text, prepared by a process of its own that is held to a bound on memory and time."""

import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

ROWS, USERS, ITEMS = 2_000_000, 100_000, 50_000
PREPARE = """
import json, re, sys, time
from pathlib import Path
from recsys.data.config import DataConfig
from recsys.data.prepare import prepare

config = DataConfig.model_validate({"events": {"path": sys.argv[1]}})
start = time.perf_counter()
report = prepare(config, Path(sys.argv[2]), seed=0)
seconds = time.perf_counter() - start
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
print(json.dumps({"seconds": seconds, "megabytes": peak / 1024, "kept": report.kept}))
"""


@pytest.fixture(scope="module")
def log():
    random = np.random.default_rng(0)
    users, items = random.zipf(1.3, ROWS) % USERS, random.zipf(1.2, ROWS) % ITEMS
    times = 1_700_000_000 + random.choice(10 * ROWS, ROWS, replace=False)
    frame = pl.DataFrame({"user": users, "item": items, "timestamp": times})
    return frame.select(
        pl.format("user-{}", "user").alias("user_id"), pl.format("B00{}X", "item").alias("item_id"), "timestamp"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name, megabytes", [("clicks.parquet", 600), ("clicks.csv", 800)])
def test_memory_and_time(log, tmp_path, name, megabytes):
    path = tmp_path / name
    (log.write_parquet if path.suffix == ".parquet" else log.write_csv)(path)
    command = [sys.executable, "-c", PREPARE, str(path), str(tmp_path / "dataset")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert measured["kept"] == ROWS
    assert measured["megabytes"] < megabytes
    assert measured["seconds"] < 15, "ten times what it takes on two quiet cores"
