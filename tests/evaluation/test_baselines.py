import dataclasses

import numpy as np
import pytest

from recsys.data.histories import Histories
from recsys.evaluation.baselines import MAX_GAP, MAX_PAST, CoVisitation, Popular, Transitions
from recsys.evaluation.questions import Questions

DECAY = 0.7


def training_clicks(dataset):
    """[user] its training clicks, as a list."""
    offsets, ends = dataset.histories.offsets, dataset.split.train_end
    return [dataset.histories.items[offsets[user] : ends[user]].tolist() for user in range(1, len(dataset.users) + 1)]


def naive_transitions(dataset):
    """[items + 1, items + 1] shares of what follows, by counting pair for pair."""
    counts = np.zeros((len(dataset.items) + 1,) * 2)
    for clicks in training_clicks(dataset):
        for first in range(len(clicks)):
            for second in range(first + 1, min(first + MAX_GAP, len(clicks) - 1) + 1):
                counts[clicks[first], clicks[second]] += DECAY ** (second - first - 1)
    leaving = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, leaving, out=np.zeros_like(counts), where=leaving > 0)


def naive_scores(dataset, questions):
    transitions, histories = naive_transitions(dataset), dataset.histories
    scores = np.zeros((len(questions), len(dataset.items) + 1))
    for row, (user, position) in enumerate(zip(questions.held_out.users, questions.held_out.positions, strict=True)):
        past = histories.items[histories.offsets[user] : position].tolist()
        if dataset.skips_untrained:
            past = [item for item in past if dataset.trained_items[item]]
        for distance, item in enumerate(reversed(past[-MAX_PAST:])):
            scores[row] += DECAY**distance * transitions[item]
    return scores


def dense(transitions):
    table = np.zeros((len(transitions.offsets) - 1,) * 2)
    for item in range(len(table)):
        stretch = slice(transitions.offsets[item], transitions.offsets[item + 1])
        table[item, transitions.following[stretch]] = transitions.weights[stretch]
    return table


@pytest.fixture(params=["dataset", "dataset_by_time"])
def any_dataset(request):
    return request.getfixturevalue(request.param)


def test_transitions_are_those_of_a_double_loop(any_dataset):
    found = Transitions.count(any_dataset, decay=DECAY)
    np.testing.assert_allclose(dense(found), naive_transitions(any_dataset), rtol=1e-12)


def test_co_visitation_follows_the_most_recent_readable_clicks(any_dataset):
    questions = Questions.of_test(any_dataset, exclude_seen=False)
    scorer = CoVisitation(questions, decay=DECAY)
    expected = naive_scores(any_dataset, questions)
    np.testing.assert_allclose(scorer(slice(0, len(questions))).numpy(), expected, rtol=1e-6)
    np.testing.assert_array_equal(scorer(slice(3, 9)).numpy(), scorer(slice(0, len(questions))).numpy()[3:9])


def test_popular_counts_training_clicks(any_dataset):
    counts = np.bincount(np.concatenate(training_clicks(any_dataset)).astype(int), minlength=len(any_dataset.items) + 1)
    np.testing.assert_array_equal(Popular(any_dataset)(slice(2, 4)).numpy(), np.stack([counts, counts]))


def test_no_click_outside_training_reaches_the_counts(any_dataset):
    histories = any_dataset.histories
    trains = any_dataset.split.in_training(histories)
    changed = np.where(trains, histories.items, 1 + histories.items % len(any_dataset.items)).astype(np.int32)
    other = dataclasses.replace(any_dataset, histories=Histories(changed, histories.times, histories.offsets))
    assert not np.array_equal(changed, histories.items)
    np.testing.assert_array_equal(Popular(other).counts, Popular(any_dataset).counts)
    one, two = Transitions.count(other, decay=DECAY), Transitions.count(any_dataset, decay=DECAY)
    np.testing.assert_array_equal(dense(one), dense(two))
