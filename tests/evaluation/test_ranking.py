import numpy as np
import pytest
import torch

from recsys.evaluation import ranking as module
from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import rank
from recsys.topk import UNRANKED
from tests.evaluation.conftest import dataset_of, random_clicks


def questions_of(dataset, exclude_seen=False):
    return Questions.of_test(dataset, exclude_seen=exclude_seen)


def rank_all(questions, scores, k=10):
    return rank(questions, lambda rows: torch.from_numpy(scores[rows].copy()), k=k, advance=lambda users: None)


def coarse_scores(questions, seed=0):
    """Few distinct values, hence many ties."""
    random = np.random.default_rng(seed)
    num_items = len(questions.dataset.items)
    return random.integers(0, 5, (len(questions), num_items + 1)).astype(np.float32)


def naive(questions, scores, row):
    """The candidates as they should be listed: by score, then the target last, then by index."""
    histories, target = questions.dataset.histories, questions.targets[row]
    begin = histories.offsets[questions.held_out.users[row]]
    seen = set(histories.items[begin : questions.held_out.positions[row]].tolist())
    possible = [
        item
        for item in np.flatnonzero(questions.dataset.candidates).tolist()
        if not (questions.filters_seen and item in seen)
    ]
    return sorted(possible, key=lambda item: (-scores[row, item], item == target, item))


@pytest.mark.parametrize("exclude_seen", [False, True])
@pytest.mark.parametrize("k", [1, 10, 40])
@pytest.mark.parametrize("tile", [1, 100, 1 << 22])
def test_lists_and_ranks_are_those_of_a_sort_whatever_the_tile(dataset_by_time, exclude_seen, k, tile, monkeypatch):
    monkeypatch.setattr(module, "whole_rows", lambda num_items: max(1, tile // num_items))
    questions = questions_of(dataset_by_time, exclude_seen)
    scores = coarse_scores(questions)
    found = rank_all(questions, scores, k)
    for row, target in enumerate(questions.targets.tolist()):
        expected = naive(questions, scores, row)
        assert found.ranks[row] == (expected.index(target) + 1 if target in expected else UNRANKED)
        listed = [item for item in found.items[row].tolist() if item]
        assert listed == expected[:k]
        assert found.scores[row, : len(listed)].tolist() == [scores[row, item] for item in listed]
        assert np.isneginf(found.scores[row, len(listed) :]).all()


def test_when_all_scores_are_equal_every_target_comes_last():
    questions = questions_of(dataset_of(random_clicks(), num_items=30))
    scores = np.ones((len(questions), 31), dtype=np.float32)
    assert (rank_all(questions, scores).ranks == 30).all()


def test_a_target_that_cannot_be_returned_has_no_rank_even_among_few_candidates():
    questions = questions_of(dataset_of([[1, 2, 1, 1], [1, 2, 3, 2]], num_items=3), exclude_seen=True)
    found = rank_all(questions, np.ones((2, 4), dtype=np.float32))
    assert found.ranks.tolist() == [UNRANKED, UNRANKED]
    assert found.items[0, :2].tolist() == [3, 0]
    assert questions.are_repeated.sum() == 2


def test_repeated_targets_are_counted_once_per_user(dataset):
    questions = questions_of(dataset)
    offsets, items = dataset.histories.offsets, dataset.histories.items
    expected = sum(
        items[position] in items[offsets[user] : position]
        for user, position in zip(questions.held_out.users, questions.held_out.positions, strict=True)
    )
    assert questions.are_repeated.sum() == expected > 0


def test_a_score_that_is_not_a_number_is_refused(dataset):
    questions = questions_of(dataset)
    with pytest.raises(AssertionError, match="not a number"):
        rank_all(questions, np.full((len(questions), 31), np.nan, dtype=np.float32))
