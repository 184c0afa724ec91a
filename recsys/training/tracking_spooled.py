"""The tracker a stage talks to: everything is one line appended to the spool, and a courier takes it from there.

Knows nothing of MLflow, only that a process that is started with `command` will deliver to it.
"""

import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

from recsys.training.tracking_courier import Courier
from recsys.training.tracking_spool import (
    Artifact,
    Assignment,
    Event,
    Metrics,
    Params,
    Spool,
    Status,
    Tags,
    now,
    without_password,
)

LOCAL_SECONDS = 30.0
"""Closing waits so long for a database file: nothing can be down there, but creating it takes seconds."""
SLOWEST_UPLOAD = 4_000_000
"""Bytes a second: a server that takes files more slowly gets the rest from the next command."""
Ending = Literal["FINISHED", "KILLED", "FAILED"]
_log = logging.getLogger(__name__)


class Tracker(Protocol):
    """What a stage tells about its run. Nothing here waits for a server, and no server's fault is raised."""

    @property
    def run_id(self) -> str | None:
        """MLflow's id of the run; None until a server has given one, so record it after `close`."""

    def awaited_run_id(self) -> str | None:
        """The same, waiting for it as long as closing would: to name the run to another one."""

    def log_params(self, params: Mapping[str, str]) -> None:
        """What never changes; where a value differs from an earlier one, the tag `changed.KEY` has the new one."""

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Infinite and undefined values are left out, and told by the tag `non_finite.METRIC`."""

    def log_tags(self, tags: Mapping[str, str]) -> None: ...

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """A file, or each file in a directory; it is read soon, so it has to stay where it is."""

    def close(self, status: Ending) -> None:
        """Deliver what is left, within seconds; a second call does nothing."""


class NoTracking:
    """Tells nobody."""

    run_id: str | None = None

    def awaited_run_id(self) -> None: ...
    def log_params(self, params: Mapping[str, str]) -> None: ...
    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None: ...
    def log_tags(self, tags: Mapping[str, str]) -> None: ...
    def log_artifact(self, path: Path, folder: str = "") -> None: ...
    def close(self, status: Ending) -> None: ...


class SpooledTracking:
    """One run for one workdir, where a single tracker at a time may be open."""

    def __init__(
        self, assignment: Assignment, *, command: list[str], environment: dict[str, str], timeout_seconds: int
    ) -> None:
        self.assignment = assignment
        self.spool = Spool(assignment.workdir)
        is_local = assignment.uri.startswith(("sqlite:", "file:", "/"))
        self.closing_seconds = LOCAL_SECONDS if is_local else float(timeout_seconds)
        self.has_warned = False
        self.is_open = True
        self.courier: Courier | None = None
        try:
            self.spool.mend()
            self.spool.append(Status(status="RUNNING", time=now()))
            self.courier = Courier(command, environment, assignment)
        except OSError as error:
            self._warn(str(error))

    @property
    def run_id(self) -> str | None:
        receipt = None if self.courier is None else self.courier.receipt()
        return self.assignment.run_id if receipt is None else receipt.run_id

    def awaited_run_id(self) -> str | None:
        deadline = time.monotonic() + self.closing_seconds
        while self.run_id is None and self.courier is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.run_id

    def log_params(self, params: Mapping[str, str]) -> None:
        self._tell(Params(values={key: without_password(value) for key, value in params.items()}))

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        values = {name: float(value) for name, value in metrics.items()}
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        others = values.keys() - finite.keys()
        if finite:
            self._tell(Metrics(values=finite, step=step, time=now()))
        if others:  # MLflow would store infinity as 1.8e308
            self.log_tags({f"non_finite.{name}": f"{values[name]} at step {step}" for name in sorted(others)})

    def log_tags(self, tags: Mapping[str, str]) -> None:
        self._tell(Tags(values=dict(tags)))

    def log_artifact(self, path: Path, folder: str = "") -> None:
        root = path.resolve()
        if not root.is_dir():
            self._upload(root, Path(folder))
            return
        for file in sorted(root.rglob("*")):
            if file.is_file():
                self._upload(file, folder / file.parent.relative_to(root))

    def close(self, status: Ending) -> None:
        if not self.is_open:
            return
        self.is_open = False
        self._tell(Status(status=status, time=now()))
        if self.courier is not None:
            self.courier.finish(self.closing_seconds)
            self._conclude(self.courier)

    def _upload(self, file: Path, folder: Path) -> None:
        workdir = self.assignment.workdir
        name = str(file.relative_to(workdir) if file.is_relative_to(workdir) else file)
        self._tell(Artifact(path=name, folder=folder.as_posix()))
        self.closing_seconds += file.stat().st_size / SLOWEST_UPLOAD if file.exists() else 0.0

    def _tell(self, event: Event) -> None:
        try:
            self.spool.append(event)
            trouble = None if self.courier is None or self.has_warned else self.courier.trouble()
        except OSError as error:
            trouble = str(error)
        if trouble is not None:
            self._warn(trouble)

    def _conclude(self, courier: Courier) -> None:
        receipt = courier.receipt()
        if receipt is None or receipt.delivered < self.spool.size():
            self._warn(courier.trouble() or "it did not take everything in time")
        else:
            courier.log.unlink(missing_ok=True)
        if receipt is not None and receipt.refused:
            _log.warning("tracking: MLflow refused %d events, the last: %s", receipt.refused, receipt.refusal)

    def _warn(self, reason: str) -> None:
        if not self.has_warned:
            self.has_warned = True
            _log.warning(
                "tracking: no MLflow at %s: %s. The run goes on without it; its events are kept in %s "
                "and delivered by the next command on this workdir.",
                self.assignment.safe_uri,
                without_password(reason),
                self.spool.path,
            )
