"""With `recommend.approximate` the evaluation shows what an index costs, and the bundle recommends through it."""

import json

import polars as pl
import pytest

from recsys.bundle.opened import open_bundle
from recsys.evaluation import approximate
from recsys.evaluation.tables import evaluation_lines
from recsys.index import build, trial
from recsys.recommender import Recommender
from recsys.stages.run import run
from tests.stages.workdirs import Project

LISTS = {"index__kind": "ivf", "index__num_lists": 12, "index__visited": 5}
SHORT = {"recommend__k": 3, "recommend__exclude_seen": False, "evaluation__list_length": 10}


@pytest.fixture
def few_rows_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "LEAST_ROWS", 10)


@pytest.mark.usefixtures("few_rows_are_enough")
def test_exact_and_approximate_are_told_apart(project: Project, monkeypatch: pytest.MonkeyPatch):
    built = []
    monkeypatch.setattr(approximate, "build_index", lambda *a, **b: built.append(a) or build.build_index(*a, **b))
    with project.session(recommend__approximate=True, **LISTS, **SHORT) as session:
        made = run(session)
    assert len(built) == 1, "the audit asks the system again, and again: of the same items"
    found = made.evaluated.evaluation
    cost = found.index_cost
    assert cost is not None
    assert 0 < cost.recall_10 < 1
    text = "\n".join(evaluation_lines(found))
    assert "by the index" in text
    assert f"index      recall@10 {cost.recall_10:.4f}" in text
    assert "less by the index: NDCG@10" in text
    assert found.systems["approximate"].metrics["NDCG@10"].value <= found.retriever.metrics["NDCG@10"].value + 0.1
    ranks = pl.read_parquet(project.workdir / "evaluation/ranks.parquet")
    both = ranks.filter(pl.col("approximate").is_not_null())
    assert (both["approximate"] <= both["retriever"]).all()  # nothing that is missed can stand before the target
    bundle = open_bundle(project.workdir / "bundle")
    assert bundle.recommend_index is not None
    assert (bundle.recommend_index.statement.kind, bundle.index.statement.kind) == ("ivf", "ivf")
    assert "lookups: ivf" in "\n".join(made.published.lines())
    assert len(Recommender(bundle).recommend(["i001", "i002"], k=5)) == 5


def test_the_index_that_stays_exact_costs_nothing(project: Project):
    with project.session(recommend__approximate=True) as session:
        found = run(session).evaluated.evaluation
    assert found.index_cost is not None
    assert (found.index_cost.recall_10, found.index_cost.recall_100) == (1.0, 1.0)
    assert found.systems["approximate"].metrics == found.retriever.metrics


def test_another_kind_of_index_is_another_bundle_and_no_other_evaluation(finished: Project, tmp_path):
    project = finished.copy(tmp_path / "project")
    before = json.loads((project.workdir / "evaluation.json").read_text())
    assert before["index_cost"] is None
    with project.session(index__kind="flat") as session:
        run(session)
    told = [line for line in project.told if "nothing has changed" in line]
    assert any(line.startswith("evaluate:") for line in told)
    assert not any(line.startswith("index:") for line in told)
