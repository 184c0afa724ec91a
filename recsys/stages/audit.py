"""Looks for leaks in what is there: the prepared dataset, the baselines, and the retriever once it is trained."""

from dataclasses import dataclass
from pathlib import Path

from recsys.data.dataset import open_dataset
from recsys.durable import write_json
from recsys.evaluation.audit.files import audit_files
from recsys.evaluation.audit.findings import AuditReport, require_clean
from recsys.evaluation.audit.rare import audit_log
from recsys.evaluation.audited import audit_alone
from recsys.evaluation.outcome import NAME
from recsys.evaluation.questions import Questions
from recsys.stages.record import Stage
from recsys.stages.session import Session
from recsys.training.outcome import load_best

FILE = "audit.json"


@dataclass(frozen=True)
class Audited:
    report: AuditReport
    file: Path
    with_retriever: bool

    def require_clean(self) -> None:
        """LeakError, naming every leak, where there is one."""
        require_clean(self.report)

    def lines(self) -> list[str]:
        missing = [] if self.with_retriever else ["  (no model is trained on this dataset yet: the baselines alone)"]
        return ["Audit:", *(f"  {line}" for line in self.report.lines()), *missing, f"Findings: {self.file}"]


def audit(session: Session) -> Audited:
    """Writes audit.json. Whether there is a leak is for the caller to say: a report has to be read first."""
    session.demand_earlier(Stage.TRAIN)
    is_trained = session.is_sound(Stage.TRAIN)
    config, dataset = session.config, open_dataset(session.layout.product(Stage.PREPARE))
    questions = Questions.of_test(dataset, exclude_seen=config.recommend.exclude_seen)
    retriever = load_best(session.layout.product(Stage.TRAIN)) if is_trained else None
    of_files = audit_files(config.workdir / NAME, questions) if session.is_sound(Stage.EVALUATE) else ()
    report = AuditReport(
        findings=(
            *audit_log(config.data, questions),
            *audit_alone(questions, retriever, config.evaluation),
            *of_files,
        )
    )
    file = config.workdir / FILE
    write_json(file, report.model_dump(mode="json"))
    return Audited(report, file, is_trained)
