"""Looks for leaks in what is there: the prepared dataset, the baselines, and both stages once they are trained."""

from collections.abc import Sequence
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
from recsys.stages.contenders import contenders_without
from recsys.stages.record import Stage
from recsys.stages.session import Session

FILE = "audit.json"


@dataclass(frozen=True)
class Audited:
    report: AuditReport
    file: Path
    unseen: Sequence[str]
    """What could not be looked at, and why."""

    def require_clean(self) -> None:
        """LeakError, naming every leak, where there is one."""
        require_clean(self.report)

    def lines(self) -> list[str]:
        unseen = (f"  not looked at: {what}" for what in self.unseen)
        return ["Audit:", *(f"  {line}" for line in self.report.lines()), *unseen, f"Findings: {self.file}"]


def audit(session: Session) -> Audited:
    """Writes audit.json. Whether there is a leak is for the caller to say: a report has to be read first."""
    session.demand_earlier(Stage.TRAIN)
    config, dataset = session.config, open_dataset(session.layout.product(Stage.PREPARE))
    questions = Questions.of_test(dataset, exclude_seen=config.recommend.exclude_seen)
    of_ranker = (Stage.RANK, Stage.BLEND) if config.ranker is not None else ()
    faults = {stage: session.fault(stage) for stage in (Stage.TRAIN, *of_ranker, Stage.EVALUATE)}
    there = contenders_without(session, {stage for stage, fault in faults.items() if fault})
    of_files = () if faults[Stage.EVALUATE] else audit_files(config.workdir / NAME, questions)
    report = AuditReport(
        findings=(
            *audit_log(config.data, questions),
            *audit_alone(questions, there, config.evaluation),
            *of_files,
        )
    )
    file = config.workdir / FILE
    write_json(file, report.model_dump(mode="json"))
    return Audited(
        report, file, [f"{session.layout.product(stage)} {fault}" for stage, fault in faults.items() if fault]
    )
