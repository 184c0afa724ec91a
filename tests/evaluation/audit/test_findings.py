"""A report says what it found, and a leak stops what asks for a clean one."""

import pytest

from recsys.errors import LeakError, UserError
from recsys.evaluation.audit.findings import AuditReport, Finding, require_clean

PASSED = Finding(check="no a is b", verdict="passed", found="0 of 9")
LEAKS = [Finding(check=f"no {x} is y", verdict="leak", found=f"1 {x} is", remedy=f"drop {x}") for x in ("c", "d")]


def test_a_clean_report_passes():
    report = AuditReport(findings=(PASSED,))
    require_clean(report)
    assert report.lines() == ["ok    no a is b: 0 of 9"]


def test_every_leak_is_named_with_its_remedy():
    report = AuditReport(findings=(LEAKS[0], PASSED, LEAKS[1]))
    with pytest.raises(LeakError) as error:
        require_clean(report)
    message = str(error.value)
    assert all(text in message for leak in LEAKS for text in (leak.check, leak.found, leak.remedy))
    assert "no a is b" not in message
    assert report.lines()[:2] == ["LEAK  no c is y: 1 c is", "      -> drop c"]


def test_a_leak_is_the_users_to_mend():
    assert issubclass(LeakError, UserError)
    assert LeakError("x").exit_code == 2


def test_a_report_survives_json():
    report = AuditReport(findings=(PASSED, *LEAKS))
    assert AuditReport.model_validate_json(report.model_dump_json()) == report
