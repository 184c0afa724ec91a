"""Makes the dataset of the log."""

from dataclasses import dataclass
from pathlib import Path

from recsys.data.dataset import REPORT
from recsys.data.prepare import fingerprint_inputs
from recsys.data.prepare import prepare as prepare_log
from recsys.data.report import DataReport
from recsys.stages.record import Stage
from recsys.stages.session import Session


@dataclass(frozen=True)
class Prepared:
    directory: Path
    report: DataReport

    def lines(self) -> list[str]:
        """The data report as a table."""
        rows = self.report.rows()
        width = max(len(name) for name, _ in rows)
        return [f"Data: {self.directory}", *(f"  {name:<{width}}  {value}" for name, value in rows)]


def prepare(session: Session) -> Prepared:
    """A no-op that says so where neither the log nor `data` has changed."""
    directory = session.layout.product(Stage.PREPARE)
    sources = fingerprint_inputs(session.config.data)
    if session.is_current(Stage.PREPARE, sources):
        return Prepared(directory, DataReport.read(directory / REPORT, remedy="delete the dataset, and prepare again"))
    with session.recording(Stage.PREPARE, sources):
        report = prepare_log(session.config.data, directory, seed=session.config.seed, tell=session.tell)
    session.tracker.log_artifact(directory / REPORT)
    return Prepared(directory, report)
