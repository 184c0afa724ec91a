"""No alarm where nothing leaks: on simulated logs of many sizes, and on the real ones where they are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.config import load_config
from recsys.data.dataset import open_dataset
from recsys.data.prepare import prepare
from recsys.evaluation.audit.data import audit_data
from recsys.evaluation.audit.findings import AuditReport, require_clean
from recsys.evaluation.audit.rare import audit_log
from recsys.evaluation.questions import Questions
from tests.evaluation.audit import systems
from tests.evaluation.audit.conftest import KINDS, simulated
from tests.evaluation.audit.garden import asked, audited

CONFIGS = Path(__file__).parents[3] / "configs"
ML_1M = {"data.events.path": "ml-1m/interactions.parquet", "data.items.path": "ml-1m/movies.dat"}
BEAUTY = {"data.events.path": "beauty/interactions.csv", "data.items.path": "beauty/items.parquet"}
REAL = {"ml-1m.yaml": ML_1M, "ml-1m-by-time.yaml": ML_1M, "beauty.yaml": BEAUTY}


def findings_of(seed: int, directory: Path) -> AuditReport:
    """A log of another size and split with every seed, rare items left out of one in two."""
    random = np.random.default_rng(seed)
    num_users, num_items = int(random.integers(100, 700)), int(random.integers(40, 500))
    num_clicks = num_users * int(random.integers(6, 30))
    log = simulated(directory, seed=seed, num_users=num_users, num_items=num_items, num_clicks=num_clicks)
    changes: dict[str, Any] = {"min_clicks": {"per_item": int(random.choice([1, 3])), "per_user": 4}}
    kind = KINDS[seed % len(KINDS)]
    questions = asked(log.prepare(kind, **changes), filters_seen=bool(random.integers(2)))
    findings = audited(questions, {"choosing": systems.choosing})
    return AuditReport(findings=(*findings, *audit_log(log.config(kind, **changes), questions)))


def assert_clean(report: AuditReport) -> None:
    assert not report.leaks, "\n".join(report.lines())
    require_clean(report)


@pytest.mark.parametrize("seed", range(3))
def test_no_alarm_on_a_clean_log(seed, tmp_path):
    assert_clean(findings_of(seed, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(50))
def test_no_alarm_on_fifty_clean_logs(seed, tmp_path):
    assert_clean(findings_of(seed, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_no_alarm_on_real_logs(name, shared_data, tmp_path):
    paths = [f"{key}={shared_data / path}" for key, path in REAL[name].items()]
    config = load_config(CONFIGS / name, [f"workdir={tmp_path}", *paths]).data
    prepare(config, tmp_path / "dataset", seed=0)
    questions = Questions.of_test(open_dataset(tmp_path / "dataset"), exclude_seen=True)
    assert_clean(AuditReport(findings=(*audit_data(questions), *audit_log(config, questions))))
