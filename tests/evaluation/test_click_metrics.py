"""AUC, GAUC and log loss as counting pairs would have them, ties and weights included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.evaluation.click_metrics import auc, calibration_bins, calibration_error, log_losses, user_aucs
from recsys.evaluation.clicks import CLICK_METRICS, Predictions

EXAMPLES = st.lists(
    st.tuples(st.integers(-3, 3), st.integers(0, 1), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12
)


def columns(examples):
    return (np.array(column, dtype=np.float64) for column in zip(*examples, strict=True))


def by_pairs(logits, labels, weights):
    won = pairs = 0.0
    for one, clicked, often in zip(logits, labels, weights, strict=True):
        for other, also, other_often in zip(logits, labels, weights, strict=True):
            if clicked and not also:
                pairs += often * other_often
                won += often * other_often * ((one > other) + 0.5 * (one == other))
    return won / pairs if pairs else np.nan


@given(EXAMPLES)
def test_auc_counts_pairs(examples):
    logits, labels, _, weights = columns(examples)
    assert auc(logits, labels, weights) == pytest.approx(by_pairs(logits, labels, weights), nan_ok=True)


@given(EXAMPLES)
def test_gauc_is_auc_user_by_user(examples):
    logits, labels, users, _ = columns(examples)
    users = users.astype(np.int64)
    aucs, sizes = user_aucs(logits, labels, users)
    for user in range(len(aucs)):
        own = users == user
        expected = by_pairs(logits[own], labels[own], np.ones(own.sum()))
        assert sizes[user] == (0 if np.isnan(expected) else own.sum())
        assert sizes[user] == 0 or aucs[user] == pytest.approx(expected)


def test_log_loss_is_that_of_the_probabilities_and_never_overflows():
    logits, labels = np.array([-2.0, 0.0, 3.0, 1e4]), np.array([0.0, 1.0, 1.0, 0.0])
    p = 1 / (1 + np.exp(-logits[:3]))
    expected = -(labels[:3] * np.log(p) + (1 - labels[:3]) * np.log(1 - p))
    assert log_losses(logits, labels)[:3] == pytest.approx(expected)
    assert log_losses(logits, labels)[3] == 1e4


def test_calibration_error_is_0_of_true_probabilities_and_the_shift_of_others():
    random = np.random.default_rng(0)
    p = random.uniform(0.05, 0.85, 400_000)
    labels, logits = (random.random(len(p)) < p).astype(np.float64), np.log(p / (1 - p))
    bins, ones = calibration_bins(logits), np.ones(len(p))
    assert calibration_error(p - labels, bins, ones) < 0.005
    assert calibration_error(p + 0.1 - labels, bins, ones) == pytest.approx(0.1, abs=0.005)


def test_intervals_are_those_of_users_and_a_paired_difference_of_one_system_is_nothing():
    random = np.random.default_rng(1)
    users = np.sort(random.integers(0, 300, 6_000))
    labels = (random.random(6_000) < 0.4).astype(np.float64)
    predictions = Predictions(labels + random.normal(0, 2, 6_000), labels, users)
    found = predictions.estimates(resamples=300, seed=0)
    assert list(found) == list(CLICK_METRICS)
    for estimate in found.values():
        assert estimate.low < estimate.value < estimate.high
    one, other = (predictions.replicates(resamples=20, seed=3) for _ in range(2))
    assert np.array_equal(one, other)


def test_whole_users_are_drawn():
    """Users who are all alike make every draw alike; draws of single examples would differ."""
    users = np.repeat(np.arange(50), 100)
    labels = np.tile(np.append(np.ones(30), np.zeros(70)), 50)
    logits = np.tile(np.linspace(-4, 4, 100), 50)
    replicates = Predictions(logits, labels, users).replicates(resamples=20, seed=0)
    assert np.ptp(replicates[:, 2]) == pytest.approx(0)
