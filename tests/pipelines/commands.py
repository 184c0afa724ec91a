"""Real processes that run the commands, and configuration files for them."""

import os
import subprocess
import sys
from pathlib import Path

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "COLUMNS": "200", "NO_COLOR": "1"}
SMALL = """
workdir: run
data:
  events: {path: clicks.parquet}
  split: {kind: leave_last_out}
model: {dim: 8, num_blocks: 1, max_length: 8}
training: {max_epochs: 2, batch_tokens: 256, device: cpu, threads: 1}
tracking: {kind: none}
"""


def start(directory: Path, *arguments: str, module: str = "command") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", f"pipelines.{module}", *arguments],
        cwd=directory,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def command(directory: Path, *arguments: str, module: str = "command") -> subprocess.CompletedProcess[str]:
    """What it printed, and its exit code."""
    with start(directory, *arguments, module=module) as process:
        out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def assert_one_message(done: subprocess.CompletedProcess[str], told: str) -> None:
    """The last thing on stderr is the message, on one line; there is no traceback and nothing on stdout."""
    *_, message = done.stderr.strip().splitlines()
    assert message.startswith("error: ")
    assert told in message
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
