"""A workdir while a process holds it: nobody else's, with its record, its tracker and what it has to say."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Self

from recsys.config import RunConfig
from recsys.durable import locked
from recsys.errors import BundleError, Interrupted, StaleError
from recsys.stages.inputs import Layout, earlier, inputs, output
from recsys.stages.record import RunRecord, Stage, StageRecord, read_record, write_record
from recsys.training.tracking import Ending, Tracker, is_owed, open_tracker
from recsys.training.tracking_spool import without_password

MISSING, UNFINISHED = "is missing", "is not finished"


class Session:
    """`source` is the configuration as it was typed: "configs/ml-1m.yaml seed=1"; messages repeat it."""

    def __init__(self, config: RunConfig, source: str, tell: Callable[[str], None]) -> None:
        self.config = config
        self.source = source
        self.tell = tell
        self.layout = Layout(config.workdir)
        self.record = read_record(config.workdir)
        self._tracker: Tracker | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        failed: Ending = "KILLED" if isinstance(error, Interrupted | KeyboardInterrupt) else "FAILED"
        self.close("FINISHED" if error is None else failed)

    @property
    def tracker(self) -> Tracker:
        """The workdir's one MLflow run, opened when it is first asked for."""
        if self._tracker is None:
            self._tracker = self._opened_tracker()
        return self._tracker

    @property
    def tracking_uri(self) -> str:
        """Where the run can be looked at, without the password."""
        tracking = self.config.tracking
        if tracking.kind == "none":
            return "off (tracking.kind is none)"
        return without_password(tracking.uri or f"sqlite:///{self.config.workdir}/mlflow.db")

    @property
    def tracking_store(self) -> str:
        """Where this workdir tracks, for another workdir that is to track there too."""
        return self.config.tracking.uri or f"sqlite:///{self.config.workdir.resolve()}/mlflow.db"

    def deliver_owed(self) -> None:
        """Opens the tracker where an earlier command's events have not arrived: this one delivers them."""
        if self._tracker is None and is_owed(self.config.tracking, workdir=self.config.workdir):
            self._tracker = self._opened_tracker()

    def close(self, status: Ending) -> None:
        if self._tracker is None:
            return
        self._tracker.close(status)
        if self._tracker.run_id is not None:  # known only now where the server was slow
            self._remember(self.record.model_copy(update={"mlflow_run_id": self._tracker.run_id}))

    def demand_earlier(self, stage: Stage) -> None:
        """StaleError, naming what to run, unless each earlier stage ran on what is there now, as configured."""
        for before in earlier(stage, self.config):
            fault = self.fault(before)
            if fault:
                # what somebody has altered is never trained over without being told to
                restart = " --restart" if before in {Stage.TRAIN, Stage.RANK} and fault == _altered(before) else ""
                command = f"recsys {before} {self.source}{restart}"
                raise StaleError(f"{self.layout.product(before)} {fault}: run `{command}` first")

    def demand_unaltered(self, stage: Stage) -> None:
        """BundleError where the product of a stage that need not run is no longer what the stage left there."""
        entry, left = self.record.stages.get(stage), output(stage, self.layout)
        if entry is None or entry.inputs != inputs(stage, self.config, self.layout):
            return
        if left not in (None, entry.output):
            command = f"recsys {stage} {self.source} --restart"
            raise BundleError(
                f"{self.layout.product(stage)} {_altered(stage)}: "
                f"make it anew with `{command}` (restart=True from Python)"
            )

    def forget(self, stage: Stage) -> None:
        """Takes the stage out of the record: what it left is about to go."""
        stages = {other: entry for other, entry in self.record.stages.items() if other != stage}
        self._remember(self.record.model_copy(update={"stages": stages}))

    def fault(self, stage: Stage) -> str | None:
        """Why the stage's product is not what would be made again now; None where it is."""
        entry = self.record.stages.get(stage)
        left = output(stage, self.layout)
        if left is None or entry is None:
            return MISSING if left is None else UNFINISHED
        now = inputs(stage, self.config, self.layout)
        keys = sorted(key for key in entry.inputs.keys() | now if entry.inputs.get(key) != now.get(key))
        if keys:
            changes = (_told(key, entry.inputs.get(key), now.get(key)) for key in keys[:3])
            return f"is stale ({'; '.join(changes)})"
        return None if left == entry.output else _altered(stage)

    def is_current(self, stage: Stage, sources: str = "") -> bool:
        """Whether running the stage again, on files of this fingerprint, would make nothing new; says so if it is."""
        if self.fault(stage) or self.record.stages[stage].sources != sources:
            return False
        self.tell(f"{stage}: nothing has changed since {self.record.stages[stage].finished}; not done again")
        return True

    @contextmanager
    def recording(self, stage: Stage, sources: str = "") -> Iterator[None]:
        """Enters the stage into the record if the block ends well."""
        started = time.monotonic()
        read = inputs(stage, self.config, self.layout)
        yield
        left = output(stage, self.layout)
        assert left is not None, f"{stage} left nothing"
        entry = StageRecord(
            inputs=read,
            sources=sources,
            output=left,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - started, 3),
        )
        self._remember(self.record.model_copy(update={"stages": {**self.record.stages, stage: entry}}))

    def _opened_tracker(self) -> Tracker:
        return open_tracker(self.config.tracking, workdir=self.config.workdir, run_id=self.record.mlflow_run_id)

    def _remember(self, record: RunRecord) -> None:
        if record != self.record:
            write_record(self.config.workdir, record)
            self.record = record


@contextmanager
def opened(config: RunConfig, *, source: str, tell: Callable[[str], None]) -> Iterator[Session]:
    """Holds the workdir; BusyError where another process does. Ends the MLflow run as the block ended."""
    with locked(config.workdir, "the workdir"), Session(config, source, tell) as session:
        session.deliver_owed()
        yield session


def _told(key: str, was: str | None, now: str | None) -> str:
    """How an input has changed; fingerprints of what lies in the workdir tell nobody anything."""
    return f"{key} has changed" if key.startswith("the ") else f"{key} was {was}, is {now}"


def _altered(stage: Stage) -> str:
    return f"is not what `recsys {stage}` left there"
