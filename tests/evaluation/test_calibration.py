import numpy as np
import pytest
import torch

from recsys.evaluation import ranking
from recsys.evaluation.calibration import binned, calibrate
from recsys.evaluation.questions import Questions
from tests.evaluation.conftest import dataset_of

NUM_USERS, NUM_ITEMS = 4000, 60


@pytest.fixture(scope="module")
def logits():
    """[users, items + 1] of which each user's target is drawn, by its softmax."""
    return torch.from_numpy(2.5 * np.random.default_rng(0).normal(size=(NUM_USERS, NUM_ITEMS + 1)).astype(np.float32))


@pytest.fixture(scope="module")
def drawn(logits):
    chances = logits[:, 1:].softmax(dim=1)
    targets = 1 + torch.multinomial(chances, 1, generator=torch.Generator().manual_seed(1))[:, 0]
    return Questions.of_test(
        dataset_of([[1, 2, target] for target in targets.tolist()], num_items=NUM_ITEMS), exclude_seen=False
    )


def scorer_of(scores):
    return lambda rows: scores[rows].clone()


def test_true_probabilities_are_found_calibrated(drawn, logits):
    found = calibrate(drawn, scorer_of(logits))
    assert sum(part.count for part in found.bins) == 10 * NUM_USERS
    for part in found.bins:
        noise = np.sqrt(part.predicted * (1 - part.predicted) / part.count)
        assert part.observed == pytest.approx(part.predicted, abs=4 * noise)
    assert found.error < 0.01
    assert all(one.predicted < other.predicted for one, other in zip(found.bins, found.bins[1:], strict=False))


def test_a_temperature_below_one_is_found_overconfident(drawn, logits):
    found = calibrate(drawn, scorer_of(logits / 0.3))
    assert found.bins[-1].predicted > found.bins[-1].observed + 0.2
    assert found.error > 5 * calibrate(drawn, scorer_of(logits)).error


def test_a_constant_added_to_a_users_scores_changes_nothing(drawn, logits):
    one, other = calibrate(drawn, scorer_of(logits)), calibrate(drawn, scorer_of(logits + 3.0))
    assert other.error == pytest.approx(one.error, rel=1e-3)
    assert [part.predicted for part in other.bins] == pytest.approx([part.predicted for part in one.bins], rel=1e-3)


@pytest.mark.parametrize("tile", [1, 1000])
def test_tiles_make_no_difference(dataset, tile, monkeypatch):
    questions = Questions.of_test(dataset, exclude_seen=True)
    scores = torch.randn(len(questions), 31, generator=torch.Generator().manual_seed(0))
    whole = calibrate(questions, scorer_of(scores))
    monkeypatch.setattr(ranking, "whole_rows", lambda num_items: max(1, tile // num_items))
    assert calibrate(questions, scorer_of(scores)) == whole


@pytest.mark.parametrize("exclude_seen", [False, True])
def test_probabilities_are_shares_of_what_may_be_returned(dataset_by_time, exclude_seen):
    questions = Questions.of_test(dataset_by_time, exclude_seen=exclude_seen)
    scores = torch.randn(len(questions), 32, generator=torch.Generator().manual_seed(0))
    expected, hits = [], 0
    histories = dataset_by_time.histories
    for row, position in enumerate(questions.held_out.positions.tolist()):
        past = histories.items[histories.offsets[questions.held_out.users[row]] : position]
        if not dataset_by_time.trained_items[past].any():
            continue
        possible = np.setdiff1d(np.flatnonzero(dataset_by_time.candidates), past if exclude_seen else [])
        weights = np.exp(scores[row].numpy().astype(float))[possible]
        first = np.argsort(-weights)[:10]
        expected.append(weights[first] / weights.sum())
        hits += int(questions.targets[row] in possible[first])
    found = calibrate(questions, scorer_of(scores))
    counts = np.array([part.count for part in found.bins])
    assert counts.sum() == sum(map(len, expected))
    assert np.dot(counts, [part.predicted for part in found.bins]) == pytest.approx(np.concatenate(expected).sum())
    assert np.dot(counts, [part.observed for part in found.bins]) == pytest.approx(hits)


def test_the_error_is_the_mean_distance_weighted_by_count():
    probabilities = np.array([0.1, 0.1, 0.1, 0.3, 0.3, 0.9])
    happened = np.array([0, 1, 0, 0, 0, 1], dtype=bool)
    found = binned(probabilities, happened, 3)
    assert [part.count for part in found.bins] == [3, 2, 1]
    assert [part.predicted for part in found.bins] == pytest.approx([0.1, 0.3, 0.9])
    assert [part.observed for part in found.bins] == pytest.approx([1 / 3, 0.0, 1.0])
    assert found.error == pytest.approx((3 * (1 / 3 - 0.1) + 2 * 0.3 + 1 * 0.1) / 6)


def test_bins_hold_about_equally_many_and_equal_probabilities_share_one():
    probabilities = np.random.default_rng(0).random(1200)
    assert {part.count for part in binned(probabilities, probabilities > 2, 12).bins} == {100}
    (only,) = binned(np.full(50, 0.2), np.arange(50) < 10, 12).bins
    assert (only.predicted, only.observed, only.count) == pytest.approx((0.2, 0.2, 50))


def test_where_nobody_can_be_read_there_is_no_calibration():
    dataset = dataset_of([[2, 2, 1], [1, 1, 1]], num_items=2, train=[0, 0], validation=[2, 2], split="by_time")
    questions = Questions.of_test(dataset, exclude_seen=False)
    assert calibrate(questions, lambda rows: torch.zeros(rows.stop - rows.start, 3)) is None
