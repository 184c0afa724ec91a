"""Tracks a run in MLflow, and fails open: a server that is dead, slow or broken costs telemetry, and seconds.

The only importer of mlflow, and that only in the process which delivers: the process that trains appends lines
to WORKDIR/tracking-spool.jsonl and waits for nobody. What a server did not get is sent when the next tracker
is opened on that workdir.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import PositiveInt

from recsys.section import Section
from recsys.training.tracking_delivery import Refused, Unreachable, deliver_until_gone
from recsys.training.tracking_spool import (
    Artifact,
    Assignment,
    Event,
    Metrics,
    Params,
    Spool,
    Status,
    Tags,
    is_delivered,
)
from recsys.training.tracking_spooled import Ending, NoTracking, SpooledTracking, Tracker

if TYPE_CHECKING:
    from mlflow.entities import Run

__all__ = ["Ending", "Tracker", "TrackingConfig", "is_owed", "open_tracker"]

KEY_TAG, CHANGED = "recsys.key", "changed."
PARAM_LENGTH, TAG_LENGTH, NAME_LENGTH, BATCH = 6000, 8000, 250, 100
"""What MLflow takes: characters of a value and of a name, values at once."""
GONE = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
MENDABLE = {401, 403, 408, 429}
"""Status codes below 500 that are about the server or the user's rights, not about what was sent."""


class TrackingConfig(Section):
    """Where runs are tracked: the `tracking` section."""

    kind: Literal["mlflow", "none"] = "mlflow"
    uri: str | None = None
    """Any MLflow tracking URI; by default sqlite:///WORKDIR/mlflow.db, with the artifacts beside it."""
    experiment: str = "recsys"
    timeout_seconds: PositiveInt = 5
    """What a server may take for a request, and what the end of a run waits for it."""


def open_tracker(config: TrackingConfig, *, workdir: Path, run_id: str | None = None) -> Tracker:
    """The workdir's one run, RUNNING again: `run_id` if MLflow still has it, else the one known here, else a new one.

    Returns at once; the caller closes it, and holds the workdir's lock meanwhile.
    """
    if config.kind == "none":
        return NoTracking()
    assignment = _assignment(config, workdir, run_id)
    return SpooledTracking(
        assignment,
        command=_command(),
        environment=_environment(assignment.uri, config.timeout_seconds),
        timeout_seconds=config.timeout_seconds,
    )


def is_owed(config: TrackingConfig, *, workdir: Path) -> bool:
    """Whether earlier commands told something that has not arrived where this configuration tracks."""
    return config.kind != "none" and not is_delivered(_assignment(config, workdir, None))


def _assignment(config: TrackingConfig, workdir: Path, run_id: str | None) -> Assignment:
    workdir = workdir.resolve()
    uri = config.uri or f"sqlite:///{workdir / 'mlflow.db'}"
    return Assignment(workdir=workdir, uri=uri, experiment=config.experiment, run_id=run_id)


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
        self.run_id = ""
        self.known: dict[str, str] = {}
        self.latest: dict[str, str] = {}
        self.uploads = ThreadPoolExecutor(1)
        with _answered(refusal=Unreachable):
            self.client = MlflowClient(tracking_uri=assignment.uri)

    def connect(self, known_run_id: str | None, key: str) -> str:
        with _answered(refusal=Unreachable):
            run = self._reopened(known_run_id) or self._found_or_new(key)
        self.run_id, self.known = run.info.run_id, dict(run.data.params)
        changed = {name: value for name, value in run.data.tags.items() if name.startswith(CHANGED)}
        self.latest = self.known | {name.removeprefix(CHANGED): value for name, value in changed.items()}
        return self.run_id

    def deliver(self, event: Event) -> None:
        with _answered(refusal=Refused):
            match event:
                case Params(values=values):
                    self._log_params({_name(key): value[:PARAM_LENGTH] for key, value in values.items()})
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

    def _reopened(self, run_id: str | None) -> "Run | None":
        from mlflow.exceptions import MlflowException

        if run_id is None:
            return None
        try:
            run = self.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code in GONE:
                return None
            raise
        return run if run.info.lifecycle_stage == "active" else None

    def _found_or_new(self, key: str) -> "Run":
        name = self.assignment.experiment
        experiment = self.client.get_experiment_by_name(name)
        location = _artifact_location(self.assignment.uri)
        experiment_id = experiment.experiment_id if experiment else self.client.create_experiment(name, location)
        # created, perhaps, by a worker that was killed before it could say so
        found = self.client.search_runs([experiment_id], f"tags.`{KEY_TAG}` = '{key}'", max_results=1)
        run_name = self.assignment.workdir.name
        if found:
            return found[0]
        return self.client.create_run(experiment_id, self._begin(), tags={KEY_TAG: key}, run_name=run_name)

    def _begin(self) -> int | None:
        """When the first event was told: importing MLflow, or a dead server, may have made this late."""
        events = (event for event, _ in Spool(self.assignment.workdir).after(0))
        return next((event.time for event in events if isinstance(event, Status)), None)

    def _log_params(self, values: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        new = {key: value for key, value in values.items() if key not in self.known}
        changed = {key: value for key, value in values.items() if self.latest.get(key, value) != value}
        for part in _parts([Param(key, value) for key, value in new.items()]):
            self.client.log_batch(self.run_id, params=part)
        self._log_tags({CHANGED + key: value for key, value in changed.items()})
        self.known |= new
        self.latest |= new | changed

    def _log_metrics(self, event: Metrics) -> None:
        from mlflow.entities import Metric

        metrics = [Metric(_name(key), value, event.time, event.step) for key, value in event.values.items()]
        for part in _parts(metrics):
            self.client.log_batch(self.run_id, metrics=part)

    def _log_tags(self, values: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        for part in _parts([RunTag(_name(key), value[:TAG_LENGTH]) for key, value in values.items()]):
            self.client.log_batch(self.run_id, tags=part)

    def _upload(self, event: Artifact) -> None:
        from mlflow.exceptions import MlflowException

        path = self.assignment.workdir / event.path
        folder = None if event.folder in ("", ".") else event.folder
        # a store of artifacts raises whatever its own library raises; a thread hands that over as a value
        error = self.uploads.submit(self.client.log_artifact, self.run_id, str(path), folder).exception()
        if isinstance(error, MlflowException):
            raise error
        if error is not None:
            raise Refused(f"{path}: {error}") from error


_Entity = TypeVar("_Entity")


def _parts(entities: Sequence[_Entity]) -> Iterator[Sequence[_Entity]]:
    return (entities[start : start + BATCH] for start in range(0, len(entities), BATCH))


@contextmanager
def _answered(refusal: type[Unreachable | Refused]) -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        code = error.get_http_status_code()  # type: ignore[no-untyped-call]
        kind = Unreachable if code >= 500 or code in MENDABLE else refusal
        raise kind(" ".join(str(error).split())[:TAG_LENGTH]) from error


def _artifact_location(uri: str) -> str | None:
    """Beside a database file; MLflow's own choice would be the directory that the user happens to stand in."""
    if not uri.startswith("sqlite:///"):
        return None
    return Path(uri.removeprefix("sqlite:///")).absolute().with_name("mlflow-artifacts").as_uri()


def _name(text: str) -> str:
    """As MLflow takes it, and writes it itself: ndcg@10 is ndcg_at_10."""
    return re.sub(r"[^\w./: -]", "_", text.replace("@", "_at_"))[:NAME_LENGTH]
