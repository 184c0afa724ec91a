import numpy as np
import pytest

from recsys.evaluation.baselines import item_knn as module
from recsys.evaluation.baselines.item_knn import DECAY, SHRINKAGE, ItemKNN, nearest, who_clicked
from recsys.evaluation.baselines.item_to_item import MAX_PAST
from tests.evaluation.baselines.conftest import all_scores, readable_pasts, training_clicks

FEW, ALL = 4, 1000


def naive_nearest(dataset, neighbours, max_clicks):
    """[items + 1, items + 1] by comparing every item's users with every other's."""
    num_rows = len(dataset.items) + 1
    recent = [set(clicks[-max_clicks:]) for clicks in training_clicks(dataset)]
    users = [{user for user, clicks in enumerate(recent) if item in clicks} for item in range(num_rows)]
    found = np.zeros((num_rows, num_rows))
    for item in range(num_rows):
        similar = {
            other: len(users[item] & users[other]) / (np.sqrt(len(users[item]) * len(users[other])) + SHRINKAGE)
            for other in range(num_rows)
            if other != item and users[item] & users[other]
        }
        for other in sorted(similar, key=lambda other: (-similar[other], other))[:neighbours]:
            found[item, other] = similar[other]
    return found


@pytest.mark.parametrize("max_clicks", [3, 1000])
@pytest.mark.parametrize("neighbours", [1, FEW, ALL])
def test_neighbours_are_those_of_a_double_loop(any_dataset, monkeypatch, neighbours, max_clicks):
    monkeypatch.setattr(module, "MAX_CLICKS", max_clicks)
    found = nearest(who_clicked(any_dataset), neighbours).toarray()
    np.testing.assert_allclose(found, naive_nearest(any_dataset, neighbours, max_clicks), rtol=1e-12)


def test_the_most_recent_readable_clicks_are_followed(questions):
    nearby = naive_nearest(questions.dataset, FEW, module.MAX_CLICKS)
    scores = np.zeros((len(questions), len(nearby)))
    for row, past in enumerate(readable_pasts(questions)):
        for distance, item in enumerate(reversed(past[-MAX_PAST:])):
            scores[row] += DECAY**distance * nearby[item]
    found = ItemKNN(questions, neighbours=FEW)
    np.testing.assert_allclose(all_scores(found, questions), scores, rtol=1e-6)


def test_the_size_of_a_block_changes_nothing(any_dataset, monkeypatch):
    clicked = who_clicked(any_dataset)
    whole = nearest(clicked, FEW).toarray()
    for at_most in (1, 500):
        monkeypatch.setattr(module, "TILE_SCORES", at_most)
        blocks = list(module._blocks(clicked.T.tocsr(), clicked))
        assert len(blocks) > 3
        assert [row for rows in blocks for row in range(rows.start, rows.stop)] == list(range(clicked.shape[1]))
        np.testing.assert_array_equal(nearest(clicked, FEW).toarray(), whole)


def test_without_a_bound_similarity_is_mutual(any_dataset):
    found = nearest(who_clicked(any_dataset), ALL).toarray()
    np.testing.assert_array_equal(found, found.T)
    assert not found.diagonal().any()
    assert 0 < found.max() < 1
