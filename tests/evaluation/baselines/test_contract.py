"""What holds for every baseline."""

from functools import partial

import numpy as np
import pytest
import torch

from recsys.evaluation.baselines.covisitation import CoVisitation
from recsys.evaluation.baselines.item_knn import ItemKNN
from recsys.evaluation.baselines.popular import Popular
from recsys.evaluation.baselines.recently_popular import RecentlyPopular
from recsys.evaluation.questions import Questions
from tests.evaluation.baselines.conftest import all_scores, others, training_clicks, with_items

BASELINES = {
    "popular": Popular,
    "recently popular": RecentlyPopular,
    "co-visitation": partial(CoVisitation, decay=0.7),
    "item-knn": partial(ItemKNN, neighbours=5),
}
FOLLOWING = ("co-visitation", "item-knn")


@pytest.fixture(params=BASELINES)
def baseline(request):
    return BASELINES[request.param]


def test_scores_are_fresh_and_of_the_right_form(baseline, questions):
    scorer = baseline(questions)
    scores = scorer(slice(3, 9))
    assert scores.dtype == torch.float32 and scores.shape == (6, len(questions.dataset.items) + 1)
    assert scores.isfinite().all() and (scores >= 0).all() and scorer.detail
    expected = scores.clone()
    scores.fill_(-1.0)
    assert scorer(slice(3, 9)).equal(expected)


def test_a_slice_says_what_the_whole_says(baseline, questions):
    scorer = baseline(questions)
    parts = [scorer(slice(start, min(start + 7, len(questions)))) for start in range(0, len(questions), 7)]
    assert torch.cat(parts).equal(scorer(slice(0, len(questions))))


def test_padding_is_worth_nothing(baseline, questions):
    assert not all_scores(baseline(questions), questions)[:, 0].any()


def test_made_twice_of_the_same_clicks_it_is_the_same(baseline, questions):
    np.testing.assert_array_equal(
        all_scores(baseline(questions), questions), all_scores(baseline(questions), questions)
    )


def test_no_test_click_reaches_the_scores(baseline, any_dataset):
    questions = Questions.of_test(any_dataset, exclude_seen=False)
    tests = np.zeros(any_dataset.histories.num_events, dtype=bool)
    tests[questions.held_out.positions] = True
    changed = Questions.of_test(with_items(any_dataset, others(any_dataset, tests)), exclude_seen=False)
    assert (changed.targets != questions.targets).all()
    np.testing.assert_array_equal(all_scores(baseline(changed), changed), all_scores(baseline(questions), questions))


@pytest.mark.parametrize("name", FOLLOWING)
def test_no_click_outside_training_reaches_what_is_learnt(name, any_dataset):
    held_out = ~any_dataset.split.in_training(any_dataset.histories)
    changed = with_items(any_dataset, others(any_dataset, held_out))
    one, two = (BASELINES[name](Questions.of_test(each, exclude_seen=False)) for each in (any_dataset, changed))
    np.testing.assert_array_equal(one.nearby.toarray(), two.nearby.toarray())
    assert (one.pasts != two.pasts).nnz, "the users' own clicks may be followed"


@pytest.mark.parametrize("name", FOLLOWING)
def test_users_of_whom_nothing_can_be_read_score_nothing(name, dataset_by_time):
    questions = Questions.of_test(dataset_by_time, exclude_seen=False)
    scores = all_scores(BASELINES[name](questions), questions)
    np.testing.assert_array_equal(scores.any(axis=1), questions.pasts(1).lengths > 0)
    assert not scores[:2].any()


def test_popular_counts_training_clicks(questions):
    num_rows = len(questions.dataset.items) + 1
    clicks = np.concatenate(training_clicks(questions.dataset)).astype(int)
    counts = np.bincount(clicks, minlength=num_rows)
    np.testing.assert_array_equal(Popular(questions)(slice(2, 4)).numpy(), np.stack([counts, counts]))
