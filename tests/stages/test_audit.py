"""`recsys audit` on a work directory: before training, after it, and with a leak."""

import json

import numpy as np
import pytest

from recsys.data.dataset import DatasetManifest, read_manifest
from recsys.errors import LeakError, StaleError
from recsys.stages.audit import audit
from recsys.stages.blend import blend
from recsys.stages.evaluate import evaluate
from recsys.stages.prepare import prepare
from recsys.stages.rank import rank
from recsys.stages.record import Stage, read_record, write_record
from tests.stages.workdirs import Project


def verdicts(audited):
    return {finding.verdict for finding in audited.report.findings}


def test_a_finished_run_is_clean_and_its_retriever_is_looked_at(project):
    with project.session() as session:
        audited = audit(session)
    audited.require_clean()
    assert not audited.unseen
    assert "leak" not in verdicts(audited)
    assert any("retriever" in finding.check for finding in audited.report.findings)
    assert json.loads((project.workdir / "audit.json").read_text()) == audited.report.model_dump(mode="json")


def test_a_prepared_dataset_is_enough(finished, tmp_path):
    project = Project(tmp_path)
    project.log.write_bytes(finished.log.read_bytes())
    with project.session() as session:
        prepare(session)
        audited = audit(session)
    assert audited.unseen == ["run/model is missing", "run/evaluation.json is missing"]
    assert "not looked at: run/model is missing" in "\n".join(audited.lines())


def test_nothing_prepared_is_nothing_to_audit(finished, tmp_path):
    project = Project(tmp_path)
    project.log.write_bytes(finished.log.read_bytes())
    with project.session() as session, pytest.raises(StaleError, match="recsys prepare"):
        audit(session)


def leak(project):
    """One user's test click is moved into training, and the manifest and the record say that all is well."""
    dataset = project.workdir / "dataset"
    for name in ("train_end", "validation_end"):
        ends = np.load(dataset / f"{name}.npy")
        ends[7] = np.load(dataset / "offsets.npy")[8]
        np.save(dataset / f"{name}.npy", ends)
    manifest = read_manifest(dataset)
    (dataset / "dataset.json").unlink()
    remade = DatasetManifest.of(dataset, split=manifest.split, time_kind=manifest.time_kind)
    remade.save(dataset)
    record = read_record(project.workdir)
    entry = record.stages[Stage.PREPARE].model_copy(update={"output": remade.fingerprint})
    write_record(project.workdir, record.model_copy(update={"stages": {Stage.PREPARE: entry}}))


def test_a_leak_is_told_and_ends_with_an_error(project):
    leak(project)
    with project.session() as session:
        audited = audit(session)
    assert "LEAK" in "\n".join(audited.lines())
    with pytest.raises(LeakError, match="the last one tests and the one before it validates") as refused:
        audited.require_clean()
    assert refused.value.exit_code == 2
    with project.session() as session, pytest.raises(StaleError):
        evaluate(session)


def test_a_ranker_is_looked_at_and_one_that_is_not_there_is_told(project):
    ranker = {"model": {"dim": 8, "hidden": [8], "max_length": 5}, "training": {"max_epochs": 1, "threads": 1}}
    with project.session(ranker=ranker) as session:
        assert audit(session).unseen[:2] == ["run/ranker is missing", "run/blend.json is missing"]
        rank(session)
        blend(session)
        audited = audit(session)
    assert any("both stages" in finding.check for finding in audited.report.findings)
    assert "leak" not in verdicts(audited)
