import numpy as np

from recsys.evaluation.baselines.covisitation import MAX_GAP, CoVisitation, transitions
from recsys.evaluation.baselines.item_to_item import MAX_PAST
from tests.evaluation.baselines.conftest import all_scores, readable_pasts, training_clicks

DECAY = 0.7


def naive_transitions(dataset):
    """[items + 1, items + 1] shares of what follows, by counting pair for pair."""
    counts = np.zeros((len(dataset.items) + 1,) * 2)
    for clicks in training_clicks(dataset):
        for first in range(len(clicks)):
            for second in range(first + 1, min(first + MAX_GAP, len(clicks) - 1) + 1):
                counts[clicks[first], clicks[second]] += DECAY ** (second - first - 1)
    leaving = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, leaving, out=np.zeros_like(counts), where=leaving > 0)


def test_transitions_are_those_of_a_double_loop(any_dataset):
    found = transitions(any_dataset, decay=DECAY)
    np.testing.assert_allclose(found.toarray(), naive_transitions(any_dataset), rtol=1e-12)


def test_the_most_recent_readable_clicks_are_followed(questions):
    nearby = naive_transitions(questions.dataset)
    scores = np.zeros((len(questions), len(nearby)))
    for row, past in enumerate(readable_pasts(questions)):
        for distance, item in enumerate(reversed(past[-MAX_PAST:])):
            scores[row] += DECAY**distance * nearby[item]
    found = CoVisitation(questions, decay=DECAY)
    np.testing.assert_allclose(all_scores(found, questions), scores, rtol=1e-6)
