"""Tracks a run in MLflow, and fails open: a server that is dead, slow or broken costs telemetry, and seconds.

The only importer of mlflow, and that only in the process which delivers: the process that trains appends lines
to WORKDIR/tracking-spool.jsonl and waits for nobody. What a server did not get is sent when the next tracker
is opened on that workdir.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import PositiveInt

from recsys.errors import Interrupted
from recsys.section import Section
from recsys.training.tracking_delivery import Refused, Unreachable, deliver_until_gone
from recsys.training.tracking_spool import Artifact, Assignment, Event, Metrics, Params, Status, Tags
from recsys.training.tracking_spooled import Ending, SpooledTracking

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.exceptions import MlflowException

KEY_TAG = "recsys.key"
PARAM_LENGTH, TAG_LENGTH, NAME_LENGTH, BATCH = 6000, 8000, 250, 100
"""What MLflow takes: characters of a value and of a name, values at once."""
MENDABLE = {401, 403, 408, 429}
"""Answers below 500 that are about the server or the user's rights, not about what was sent."""


class TrackingConfig(Section):
    """Where runs are tracked: the `tracking` section."""

    kind: Literal["mlflow", "none"] = "mlflow"
    uri: str | None = None
    """Any MLflow tracking URI; by default sqlite:///WORKDIR/mlflow.db, with the artifacts beside it."""
    experiment: str = "recsys"
    timeout_seconds: PositiveInt = 5
    """For one request. A server that needs longer counts as down; a run's end waits twice that at most."""


class Tracker(Protocol):
    """What a stage tells about its run. Nothing here waits for a server, and no server's fault is raised."""

    @property
    def run_id(self) -> str | None:
        """MLflow's id of the run; None until a server has given one, so record it after `close`."""

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

    def log_params(self, params: Mapping[str, str]) -> None: ...
    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None: ...
    def log_tags(self, tags: Mapping[str, str]) -> None: ...
    def log_artifact(self, path: Path, folder: str = "") -> None: ...
    def close(self, status: Ending) -> None: ...


def open_tracker(config: TrackingConfig, *, workdir: Path, run_id: str | None = None) -> Tracker:
    """The workdir's one run, RUNNING again: `run_id` if MLflow still has it, else the one known here, else a new one.

    Returns at once; the caller closes it, and holds the workdir's lock meanwhile.
    """
    if config.kind == "none":
        return NoTracking()
    workdir = workdir.resolve()
    uri = config.uri or f"sqlite:///{workdir / 'mlflow.db'}"
    return SpooledTracking(
        Assignment(workdir=workdir, uri=uri, experiment=config.experiment, run_id=run_id),
        command=_command(),
        environment=_environment(uri, config.timeout_seconds),
        timeout_seconds=config.timeout_seconds,
    )


@contextmanager
def tracked(config: TrackingConfig, *, workdir: Path, run_id: str | None = None) -> Iterator[Tracker]:
    """`open_tracker`, closed as FINISHED, as KILLED after a signal, or as FAILED after any other error."""
    tracker = open_tracker(config, workdir=workdir, run_id=run_id)
    try:
        yield tracker
    except (Interrupted, KeyboardInterrupt):
        tracker.close("KILLED")
        raise
    except BaseException:
        tracker.close("FAILED")
        raise
    tracker.close("FINISHED")


def _command() -> list[str]:
    package_root = str(Path(__file__).parents[2])
    # -P: a directory the user happens to stand in must not shadow a module
    code = f"import sys; sys.path.append({package_root!r}); import recsys.training.tracking as t; t.work()"
    return [sys.executable, "-P", "-c", code]


def _environment(uri: str, timeout_seconds: int) -> dict[str, str]:
    # the test runner's variable makes MLflow refuse some of its own writes
    inherited = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    return inherited | {
        "MLFLOW_TRACKING_URI": uri,
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(timeout_seconds),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "ERROR",
        "GIT_PYTHON_REFRESH": "quiet",
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
    }


def work() -> None:
    """The worker's entry: what the process does that a tracker starts."""
    import mlflow.tracking  # noqa: F401 - seconds, before the owner's clock starts

    deliver_until_gone(MlflowStore)


class MlflowStore:
    """MLflow, one call after another."""

    def __init__(self, assignment: Assignment) -> None:
        from mlflow.tracking import MlflowClient

        self.assignment = assignment
        self.uploads = ThreadPoolExecutor(1)
        self.run_id = ""
        self.params: dict[str, str] = {}
        with _answered():
            self.client = MlflowClient(tracking_uri=assignment.uri)

    def connect(self, known_run_id: str | None, key: str) -> str:
        with _answered():
            run = self._known(known_run_id) or self._found_or_new(key)
        self.run_id, self.params = run.info.run_id, dict(run.data.params)
        return self.run_id

    def deliver(self, event: Event) -> None:
        with _answered():
            match event:
                case Params(values=values):
                    self._log_params({_name(key): _cut(value, PARAM_LENGTH) for key, value in values.items()})
                case Metrics():
                    self._log_metrics(event)
                case Tags(values=values):
                    self._log_tags(values)
                case Artifact():
                    self._upload(event)
                case Status(status="RUNNING"):
                    self.client.update_run(self.run_id, status="RUNNING")
                case Status():
                    self.client.set_terminated(self.run_id, event.status, end_time=event.time)
