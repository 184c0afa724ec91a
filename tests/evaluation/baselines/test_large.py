"""Ten million clicks, on one thread, in a process of its own that is held to a bound on memory and time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_memory_and_time():
    command = [sys.executable, "-m", "tests.evaluation.baselines.large"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    print(measured)
    assert sum(measured["seconds"].values()) < 60
    assert measured["megabytes"] < 2000
