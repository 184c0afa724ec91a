"""What an audit found: a verdict for each thing that it looked at."""

from typing import Literal

from pydantic import Field

from recsys.errors import LeakError
from recsys.section import Section

Verdict = Literal["passed", "noted", "leak", "not applicable"]
PREPARE_AGAIN = "delete the dataset and run `recsys prepare` again; if this stays, it is a fault of recsys: report it"
FAULT = "this is a fault of the code, not of the data: report it"


class Finding(Section):
    """One check. `noted` has to be known to read the figures; a `leak` makes them worth nothing."""

    check: str
    """What should hold, such as "no training click is later than the cut"."""
    verdict: Verdict
    found: str
    """What was looked at and what was found, in words and numbers."""
    remedy: str = ""
    """What to do, where there is something to do."""
    numbers: dict[str, float] = Field(default_factory=dict)


class AuditReport(Section):
    findings: tuple[Finding, ...]

    @property
    def leaks(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.verdict == "leak")

    def lines(self) -> list[str]:
        """To print: a line a finding, the leaks' remedies below them."""
        mark = {"passed": "ok", "noted": "note", "leak": "LEAK", "not applicable": "n/a"}
        lines = []
        for finding in self.findings:
            lines.append(f"{mark[finding.verdict]:<5} {finding.check}: {finding.found}")
            if finding.remedy:
                lines.append(f"      -> {finding.remedy}")
        return lines


def require_clean(report: AuditReport) -> None:
    """LeakError, naming every leak and its remedy, where there is one."""
    if report.leaks:
        leaks = (f"it should hold that {leak.check}, but {leak.found}; {leak.remedy}" for leak in report.leaks)
        told = "\n".join(f"{number}. {leak}" for number, leak in enumerate(leaks, start=1))
        raise LeakError(f"the evaluation leaks, and its figures are worth nothing:\n{told}")
