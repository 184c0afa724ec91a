import dataclasses
import json
import math

import numpy as np
import polars as pl
import pytest
import torch

from recsys.data.split import Split
from recsys.errors import DataError, LeakError
from recsys.evaluation.config import EvaluationConfig
from recsys.evaluation.evaluate import evaluate
from recsys.evaluation.metrics import METRICS
from recsys.evaluation.outcome import RETRIEVER, read_evaluation
from recsys.evaluation.questions import Questions
from recsys.evaluation.report.contents import EpochPoint, Training
from recsys.evaluation.report.gather import Background
from recsys.evaluation.systems import Contenders
from recsys.evaluation.tables import evaluation_lines
from tests.evaluation.conftest import dataset_of

CONFIG = EvaluationConfig(list_length=12, resamples=1_000)
BACKGROUND = Background(
    title="by hand",
    best=None,
    training=Training(epochs=(EpochPoint(1, 3.0, 0.1),), best_epoch=1, minutes=0.5),
    ranker=None,
    data_report=(("rows in", "1"),),
    configuration="{}",
    command="recsys run by-hand.yaml",
    facts=(("recsys", "0"),),
)


@pytest.fixture(params=[False, True], ids=["unfiltered", "filtered"])
def exclude_seen(request):
    return request.param


@pytest.fixture
def evaluated(retriever_of, tmp_path, exclude_seen):
    """Evaluates a dataset -> the evaluation, its lists and its truth."""

    def run(dataset, config=CONFIG):
        questions = Questions.of_test(dataset, exclude_seen=exclude_seen)
        contenders = Contenders({RETRIEVER: retriever_of(dataset)})
        evaluation = evaluate(questions, contenders, config=config, directory=tmp_path, background=BACKGROUND)
        lists, truth = (pl.read_parquet(tmp_path / "evaluation" / f"{name}.parquet") for name in ("lists", "truth"))
        return evaluation, lists, truth

    return run


def scored_from_files(lists, truth, k=10):
    """As bench/score_topk.py does it: held-out clicks against lists, nothing of the project."""
    place = {(user, item): rank for user, item, rank in lists.select("user_id", "item_id", "rank").iter_rows()}
    ranks = [place.get(pair, math.inf) for pair in truth.iter_rows()]
    hits = [rank for rank in ranks if rank <= k]
    return {
        f"HR@{k}": len(hits) / len(ranks),
        f"NDCG@{k}": sum(1 / math.log2(rank + 1) for rank in hits) / len(ranks),
        f"MRR@{k}": sum(1 / rank for rank in hits) / len(ranks),
    }


@pytest.fixture(params=["dataset", "dataset_by_time"])
def any_dataset(request):
    return request.getfixturevalue(request.param)


def test_the_lists_score_exactly_what_the_evaluation_says(any_dataset, evaluated):
    evaluation, lists, truth = evaluated(any_dataset)
    found = evaluation.retriever.metrics
    for k in (5, 10):
        for name, value in scored_from_files(lists, truth, k).items():
            assert found[name].value == pytest.approx(value, rel=1e-12)
    assert found["HR@10"].value > 0
    recommended = lists.filter(pl.col("rank") <= 10)["item_id"].n_unique()
    assert evaluation.retriever.exposure.coverage == recommended / any_dataset.candidates.sum()


def test_every_system_scores_what_its_ranks_say(any_dataset, evaluated, tmp_path):
    evaluation, _, truth = evaluated(any_dataset)
    ranks = pl.read_parquet(tmp_path / "evaluation" / "ranks.parquet")
    assert ranks.columns == ["user_id", "item_id", *evaluation.systems]
    assert ranks.select("user_id", "item_id").equals(truth)
    for system, result in evaluation.systems.items():
        for name, estimate in result.metrics.items():
            metric, k = name.split("@")
            found = ranks[system].fill_null(10**9).to_numpy()
            assert estimate.value == pytest.approx(METRICS[metric](found, int(k)).mean(), rel=1e-12)
            assert estimate.low <= estimate.value <= estimate.high


def test_recently_popular_needs_a_calendar(dataset, evaluated):
    evaluation, _, _ = evaluated(dataset)
    assert list(evaluation.systems) == ["retriever", "covisitation", "item_knn", "popular"]
    assert evaluation.missing == {"recently_popular": "without a calendar"}


def test_a_leak_stops_the_evaluation_before_anything_is_written(dataset, evaluated, tmp_path):
    end = dataset.split.train_end.copy()
    end[5] += 1
    leaking = dataclasses.replace(dataset, split=Split(end, dataset.split.validation_end))
    with pytest.raises(LeakError, match="the evaluation leaks"):
        evaluated(leaking)
    assert not (tmp_path / "evaluation.json").exists()


def test_a_system_that_reads_the_answer_stops_the_evaluation(dataset, evaluated, monkeypatch, tmp_path):
    def cheat(questions):
        scores = torch.zeros(len(questions), len(questions.dataset.items) + 1)
        scores[torch.arange(len(questions)), torch.from_numpy(questions.targets)] = 1.0

        def scorer(rows):
            return scores[rows].clone()

        scorer.detail = "looks it up"
        return scorer

    monkeypatch.setattr("recsys.evaluation.systems.ItemKNN", cheat)
    with pytest.raises(LeakError, match="Item-kNN"):
        evaluated(dataset)
    assert not (tmp_path / "evaluation.json").exists()
    assert "The audit found a leak: these figures prove nothing" in (tmp_path / "report.html").read_text()


def test_the_lists_are_those_of_one_user_at_a_time(dataset, evaluated, retriever_of, exclude_seen):
    _, lists, _ = evaluated(dataset)
    retriever, histories = retriever_of(dataset).eval(), dataset.histories
    held_out = dataset.split.test(histories)
    for user, position in zip(held_out.users.tolist(), held_out.positions.tolist(), strict=True):
        past = histories.items[histories.offsets[user] : position].astype(np.int64)
        with torch.inference_mode():
            recent = torch.from_numpy(past[-6:])[None]
            vector = retriever.user_vectors(recent, torch.tensor([recent.shape[1]]))
            scores = (retriever.item_vectors() @ vector[0]).numpy()
        seen = set(past.tolist()) if exclude_seen else set()
        expected = sorted(set(range(1, 31)) - seen, key=lambda item: -scores[item])[:12]
        own = lists.filter(pl.col("user_id") == f"u{user - 1:04}")
        assert own["rank"].to_list() == list(range(1, 13))
        assert own["item_id"].to_list() == [item * 10 for item in expected]
        np.testing.assert_allclose(own["score"], scores[expected], rtol=1e-4, atol=1e-6)


def test_files_have_the_columns_and_the_ids_of_the_log(any_dataset, evaluated):
    evaluation, lists, truth = evaluated(any_dataset)
    ids = {"user_id": pl.String, "item_id": pl.Int32}
    assert dict(lists.schema) == ids | {"rank": pl.Int32, "score": pl.Float32, "source": pl.String}
    assert dict(truth.schema) == ids
    assert truth["user_id"].is_unique().all()
    assert len(truth) == evaluation.protocol.users == len(any_dataset.users)
    held_out = any_dataset.split.test(any_dataset.histories)
    assert truth["item_id"].to_list() == (any_dataset.histories.items[held_out.positions] * 10).tolist()


def test_users_without_a_readable_click_get_the_popular_items(dataset_by_time, evaluated):
    evaluation, lists, _ = evaluated(dataset_by_time)
    assert evaluation.protocol.users_without_history == 2
    popular = lists.filter(pl.col("source") == "popular")
    assert popular["user_id"].unique().sort().to_list() == ["u0000", "u0001"]
    counts = dataset_by_time.training_counts()
    # one of equal counts may be the target, and then stands behind the others
    first = popular.filter(pl.col("user_id") == "u0000")
    assert first["score"].to_list() == sorted(counts[dataset_by_time.candidates].tolist(), reverse=True)[:12]
    assert counts[first["item_id"].to_numpy() // 10].tolist() == first["score"].to_list()


def test_what_was_never_trained_is_not_listed_and_counts_as_a_miss(dataset_by_time, evaluated):
    evaluation, lists, truth = evaluated(dataset_by_time, EvaluationConfig(list_length=100))
    assert set(lists["item_id"]) == set((np.flatnonzero(dataset_by_time.trained_items) * 10).tolist())
    targets = truth["item_id"].to_numpy() // 10
    missed = int((~dataset_by_time.trained_items[targets]).sum())
    assert evaluation.protocol.targets_not_candidates == evaluation.protocol.targets_never_trained == missed == 1
    assert evaluation.protocol.item_universe == "items clicked in training"


def test_seen_items_are_listed_only_without_the_filter(any_dataset, evaluated, exclude_seen):
    evaluation, lists, _ = evaluated(any_dataset)
    histories = any_dataset.histories
    held_out = any_dataset.split.test(histories)
    again = repeats = 0
    for user, position in zip(held_out.users.tolist(), held_out.positions.tolist(), strict=True):
        past = histories.items[histories.offsets[user] : position]
        own = lists.filter(pl.col("user_id") == f"u{user - 1:04}")["item_id"].to_numpy() // 10
        again += len(np.intersect1d(past, own))
        repeats += int(histories.items[position] in past)
    assert (again == 0) == exclude_seen
    assert evaluation.protocol.targets_clicked_before == repeats


def test_what_a_killed_process_left_half_written_is_swept(dataset, evaluated, tmp_path):
    leftover = tmp_path / "evaluation" / f".lists.parquet.{2**22 + 1}-0123abcd-7.tmp"
    leftover.parent.mkdir()
    leftover.write_bytes(b"half")
    evaluated(dataset)
    assert not leftover.exists()


def test_the_json_is_strict_repeatable_and_readable(dataset, evaluated, tmp_path):
    evaluation, _, _ = evaluated(dataset)
    text = (tmp_path / "evaluation.json").read_bytes()
    parsed = json.loads(text)
    expected = "format_version protocol systems missing comparisons segmentations target_popularity index_cost audit"
    assert set(parsed) == {*expected.split(), "calibration_error"}
    names = {f"{metric}@{k}" for metric in ("HR", "NDCG", "MRR", "MAP") for k in (5, 10, 20)}
    assert set(parsed["systems"]["popular"]["metrics"]) == names
    assert parsed["protocol"]["uses_time_of_predicted_click"] is False
    assert read_evaluation(tmp_path) == evaluation
    files = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    evaluated(dataset)
    assert files == {path: path.read_bytes() for path in tmp_path.rglob("*.*")}


def test_the_json_is_written_last(dataset, evaluated, monkeypatch):
    written = []
    monkeypatch.setattr("recsys.durable.before_write", written.append)
    evaluated(dataset)
    names = [path.name for path in written if not path.name.startswith(".")]
    assert names == ["truth.parquet", "lists.parquet", "ranks.parquet", "report.html", "evaluation.json"]


def test_the_printed_table_states_the_protocol(dataset_by_time, evaluated, exclude_seen):
    evaluation, _, _ = evaluated(dataset_by_time)
    text = "\n".join(evaluation_lines(evaluation))
    for result in evaluation.systems.values():
        assert all(f"{result.metrics[name].value:.4f} ±" in text for name in ("HR@10", "NDCG@10", "MRR@10"))
    for part in ("by_time", "54 users", "items clicked in training: 28", "the last 6", "time of the predicted"):
        assert part in text
    assert ("filter     items clicked before the target" if exclude_seen else "filter     none") in text


def test_a_log_without_test_users_is_refused():
    dataset = dataset_of([[1, 2, 3]], num_items=3, train=[3], validation=[0])
    with pytest.raises(DataError, match=r"nothing to evaluate: under the split 'leave_last_out', none of 1 users"):
        Questions.of_test(dataset, exclude_seen=True)
