"""Both stages: the retriever says which items, the ranker in which order."""

import numpy as np
import polars as pl
import pytest
import torch

from recsys.blend import Blend
from recsys.data.config import DataConfig
from recsys.data.dataset import open_dataset
from recsys.data.prepare import prepare
from recsys.data.simulate import simulate_log
from recsys.data.simulation_config import SimulationConfig
from recsys.evaluation.audit.intervention import audit_systems
from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import rank
from recsys.evaluation.systems import RetrieverScores
from recsys.evaluation.two_stage import SecondStage, TwoStageScores
from recsys.model.ranking.ranker import Ranker, RankerConfig

RANKER_ALONE = Blend(weight=1.0)


@pytest.fixture(params=["dataset", "dataset_by_time"])
def questions(request) -> Questions:
    return Questions.of_test(request.getfixturevalue(request.param), exclude_seen=True)


@pytest.fixture
def prepared_with_ties(tmp_path):
    def build(split: str):
        path = tmp_path / "log.parquet"
        log = simulate_log(SimulationConfig(num_users=80, num_items=40, num_clicks=1_500), path)
        clicks = pl.read_parquet(log.clicks)
        day = pl.col("timestamp").dt.truncate("7d") if clicks["timestamp"].dtype.is_temporal() else None
        floored = day if day is not None else pl.col("timestamp") // 604_800 * 604_800
        clicks.with_columns(floored.alias("timestamp")).write_parquet(path)
        prepare(
            DataConfig.model_validate({"events": {"path": path}, "split": {"kind": split}}), tmp_path / split, seed=0
        )
        return open_dataset(tmp_path / split)

    return build


def second_of(dataset, num_candidates: int, blend: Blend = RANKER_ALONE, **positions) -> SecondStage:
    torch.manual_seed(1)
    interest = {"kind": "bst", "num_blocks": 1, "positions": {"kind": "index", **positions}}
    config = {"dim": 8, "max_length": 5, "hidden": (8,), "interest": interest}
    return SecondStage(Ranker.for_dataset(RankerConfig.model_validate(config), dataset).eval(), num_candidates, blend)


def lists_of(questions, scorer, k=30):
    return rank(questions, scorer, k=k, advance=lambda _: None).items


@pytest.mark.parametrize("num_candidates", [1, 7, 1_000])
def test_the_first_items_are_the_retrievers_in_another_order_and_the_others_stay(
    questions, retriever_of, num_candidates
):
    retriever = retriever_of(questions.dataset).eval()
    alone = lists_of(questions, RetrieverScores(questions, retriever))
    second = second_of(questions.dataset, num_candidates)
    both = lists_of(questions, TwoStageScores(questions, retriever, second))
    head = min(num_candidates, alone.shape[1])
    has_history = questions.pasts(1).lengths > 0  # to the retriever all items are alike without one
    alone, both = alone[has_history], both[has_history]
    assert np.array_equal(np.sort(both[:, :head]), np.sort(alone[:, :head]))
    assert np.array_equal(both[:, head:], alone[:, head:])
    assert num_candidates == 1 or not np.array_equal(both, alone)


def test_the_order_is_that_of_the_logits_one_by_one(questions, retriever_of):
    second = second_of(questions.dataset, 5)
    scorer = TwoStageScores(questions, retriever_of(questions.dataset).eval(), second)
    lists = lists_of(questions, scorer)
    for row in range(0, len(questions), 7):
        items = torch.from_numpy(lists[row : row + 1, :5].astype(np.int64))
        with torch.no_grad():
            moments = scorer.stages.asked.moments(slice(row, row + 1))
            logits = second.ranker.of_candidates(moments, items).logits_HC[0]
        assert (logits.diff() <= 1e-5).all()


@pytest.mark.parametrize("split", ["leave_last_out", "by_time"])
def test_the_audit_finds_no_leak_in_an_honest_ranker_whose_clicks_tie(prepared_with_ties, retriever_of, split):
    dataset = prepared_with_ties(split)
    questions, retriever = Questions.of_test(dataset, exclude_seen=True), retriever_of(dataset).eval()
    second = second_of(dataset, 20)
    system = {"both": lambda asked: TwoStageScores(asked, retriever, second)}
    verdicts = {finding.verdict for finding in audit_systems(questions, system, seed=0)}
    assert "leak" not in verdicts


def test_a_ranker_that_reads_times_says_so(dataset, retriever_of):
    questions, retriever = Questions.of_test(dataset, exclude_seen=True), retriever_of(dataset).eval()
    details = {
        kind: TwoStageScores(questions, retriever, second_of(dataset, 9, kind=kind)).detail
        for kind in ("time", "index")
    }
    assert details["index"].endswith("bst with weight 1 ranks 9")
    assert details["time"].endswith("bst with weight 1 ranks 9, query time and context")
