"""Rankers on the same examples: paired, with seeds taken together, and never on different ones."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from recsys.errors import BundleError, DataError
from recsys.evaluation.click_metrics import auc
from recsys.evaluation.compare.clicks import Predicted, compare_clicks, is_predictions


@pytest.fixture
def predict(tmp_path):
    random = np.random.default_rng(0)
    users, items = np.repeat(np.arange(1, 301), 8), random.integers(1, 50, 2_400)
    labels = random.integers(0, 2, 2_400)

    def write(name: str, signal: float, seed: int, **columns) -> Predicted:
        logits = signal * labels + np.random.default_rng(seed).normal(size=2_400)
        frame = pl.DataFrame({"user": users, "item": items, "label": labels, "logit": logits} | columns)
        frame.write_parquet(tmp_path / f"{name}.parquet")
        return Predicted(name, name.partition("-")[0], tmp_path / f"{name}.parquet")

    return write


def test_the_better_one_is_told_and_seeds_are_one_ranker(predict):
    runs = [predict(f"good-{seed}", 2.0, seed) for seed in range(3)]
    runs += [predict(f"bad-{seed}", 1.0, 10 + seed) for seed in range(3)]
    found = compare_clicks(runs, resamples=200)
    good, bad = found.systems
    assert (good.runs, bad.name) == (("good-0", "good-1", "good-2"), "bad")
    values = [pl.read_parquet(run.path) for run in runs[:3]]
    expected = np.mean([auc(one["logit"].to_numpy(), one["label"].cast(float).to_numpy()) for one in values])
    assert good.metrics["AUC"].value == pytest.approx(expected)
    by_auc, by_gauc, by_log_loss, _ = found.comparisons
    assert by_auc.difference.low > 0 < by_gauc.difference.low
    assert by_log_loss.difference.high < 0
    assert "2,400 test examples of 300 users" in found.lines()[0]


def test_equal_rankers_do_not_differ(predict):
    found = compare_clicks([predict("one", 1.0, 3), predict("other", 1.0, 3)], resamples=50)
    assert all(one.difference.value == one.difference.low == one.difference.high == 0 for one in found.comparisons)
    assert all(one.p == 1 for one in found.comparisons)


def test_other_examples_are_refused(predict):
    shifted = {"item": np.full(2_400, 7)}
    with pytest.raises(DataError, match="rankers are compared on the same test examples, and one"):
        compare_clicks([predict("one", 1.0, 1), predict("other", 1.0, 2, **shifted)])


def test_a_file_that_is_no_predictions_is_told(tmp_path, predict):
    other = tmp_path / "lists.parquet"
    pl.DataFrame({"user_id": [1], "item_id": [2], "rank": [1]}).write_parquet(other)
    assert not is_predictions(other)
    assert not is_predictions(tmp_path / "none.parquet")
    one = predict("one", 1.0, 1)
    assert is_predictions(one.path)
    with pytest.raises(BundleError, match=r"lists\.parquet is no file of predictions"):
        compare_clicks([one, Predicted("lists", "lists", other)])


def test_draws_without_both_labels_are_no_evidence(tmp_path):
    random, runs = np.random.default_rng(0), []
    for name in "pq":
        frame = {
            "user": [1, 2, 3, 4, 5, 6],
            "item": [1] * 6,
            "label": [1, 0, 0, 0, 0, 0],
            "logit": random.normal(size=6),
        }
        pl.DataFrame(frame).write_parquet(tmp_path / f"{name}.parquet")
        runs.append(Predicted(name, name, tmp_path / f"{name}.parquet"))
    found = compare_clicks(runs, resamples=100)
    assert all(np.isfinite([one.difference.low, one.difference.high]).all() for one in found.comparisons)


@pytest.mark.parametrize(
    "wrong",
    [
        {"logit": [None] + [0.0] * 2_399},
        {"logit": [float("nan")] * 2_400},
        {"label": [2] * 2_400},
        {"label": [None] + [1] * 2_399},
    ],
)
def test_predictions_that_are_none_are_refused(predict, wrong):
    with pytest.raises(DataError, match=r"other\.parquet: a prediction has a user, an item, a label of 0 or 1"):
        compare_clicks([predict("one", 1.0, 1), predict("other", 1.0, 2, **wrong)])


def test_columns_of_texts_are_refused(predict):
    with pytest.raises(BundleError, match="is no file of predictions with the columns user, item, label, logit, all"):
        compare_clicks([predict("one", 1.0, 1), predict("other", 1.0, 2, user=["a"] * 2_400)])


def test_what_asks_for_probabilities_is_not_asked_of_others(predict):
    one, other = predict("one", 1.0, 1), predict("other", 1.0, 2)
    found = compare_clicks([one, replace(other, is_calibrated=False)], resamples=50)
    assert {each.metric for each in found.comparisons} == {"AUC", "GAUC"} == set(found.systems[0].metrics)
