"""The owner's end of the process that carries events to MLflow.

A process, because importing MLflow and creating its database take seconds of Python, because its settings and
its chatter are global, and because only a process can be stopped when a server neither answers nor lets go.

    owner  --appends-->  tracking-spool.jsonl   --read by-->   worker  -->  MLflow
    owner  <--reads---   tracking-receipt.json  <--written by----'

Between the two there is one pipe, the worker's stdin: its first line says what to do, its end that the owner
closed (a second line says it too, for a forked child may hold the pipe open) or died. Knows nothing of MLflow.
"""

import contextlib
import subprocess
import time

from recsys.training.tracking_spool import Assignment, Receipt, read_receipt

STARTING_SECONDS = 30.0
"""What importing MLflow may take on a busy machine."""


class Courier:
    """The owner's end: a worker that was started, and what it has reported. Starting it may raise OSError."""

    def __init__(self, command: list[str], environment: dict[str, str], assignment: Assignment) -> None:
        self.workdir = assignment.workdir
        self.log = self.workdir / "tracking.log"
        self.was_stopped = False
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,  # Ctrl-C at the terminal is the owner's business
            )
        assert self.process.stdin is not None
        self.pipe = self.process.stdin
        with contextlib.suppress(BrokenPipeError):  # it died at once: its exit code tells
            self.pipe.write(assignment.model_dump_json().encode() + b"\n")
            self.pipe.flush()

    def receipt(self) -> Receipt | None:
        """What this worker has written; None while it is starting."""
        receipt = read_receipt(self.workdir)
        return receipt if receipt is not None and receipt.worker == self.process.pid else None

    def trouble(self) -> str | None:
        """Why events are not being delivered, as far as is known by now."""
        receipt = self.receipt()
        if receipt is not None and receipt.failure is not None:
            return receipt.failure
        if self.process.poll() and not self.was_stopped:
            lines = self.log.read_text(errors="replace").strip().splitlines()
            return lines[-1] if lines else f"its process ended with code {self.process.returncode}"
        return None

    def finish(self, seconds: float) -> None:
        """Wait for what is still on its way: so long, counted from when the worker was ready; then end it."""
        with contextlib.suppress(BrokenPipeError):
            self.pipe.write(b"\n")
            self.pipe.close()
        deadline = time.monotonic() + STARTING_SECONDS
        is_ready = False
        while self.process.poll() is None and time.monotonic() < deadline:
            if not is_ready and self.receipt() is not None:
                is_ready, deadline = True, time.monotonic() + seconds
            time.sleep(0.02)
        if self.process.poll() is None:
            self.was_stopped = True
            self.process.kill()
            self.process.wait()
