"""Thousands of calls with bad arguments, with and without Python's assertions."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.index.any_arguments import run

ROOT = Path(__file__).parents[2]


def test_some_calls() -> None:
    run(200)


@pytest.mark.slow
@pytest.mark.parametrize("flags", [[], ["-O"]])
def test_ten_thousand_calls(flags: list[str]) -> None:
    command = [sys.executable, *flags, "-m", "tests.index.any_arguments", "10000"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == f"optimised {bool(flags)}\n"
