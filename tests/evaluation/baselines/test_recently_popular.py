from dataclasses import replace

import numpy as np
import pytest

from recsys.data.events.times import A_DAY
from recsys.data.histories import Histories
from recsys.evaluation.baselines.popular import Popular
from recsys.evaluation.baselines.recently_popular import (
    WINDOWS,
    ClicksByTime,
    PopularWithin,
    RecentlyPopular,
    why_not,
)
from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import rank
from tests.evaluation.baselines.conftest import all_scores, others, with_items
from tests.evaluation.conftest import dataset_of


def within(questions, days):
    return PopularWithin(questions, ClicksByTime.of(questions.dataset), days)


def naive_moment(questions, row):
    dataset, position = questions.dataset, questions.held_out.positions[row]
    last = dataset.histories.times[dataset.split.in_training(dataset.histories)].max()
    by_time = dataset.manifest.split == "by_time"
    return last if by_time else min(last, dataset.histories.times[position - 1])


def naive_scores(questions, row, days):
    """Click by click."""
    dataset, moment = questions.dataset, naive_moment(questions, row)
    window, until = np.zeros((2, len(dataset.items) + 1))
    trains = dataset.split.in_training(dataset.histories)
    for item, time in zip(dataset.histories.items[trains], dataset.histories.times[trains], strict=True):
        until[item] += time <= moment
        window[item] += time <= moment and (days is None or time > moment - days * A_DAY)
    return (window + until / (until.max() + 1)).astype(np.float32)


@pytest.mark.parametrize("days", WINDOWS)
def test_counts_are_those_of_a_loop_over_clicks(questions, days):
    expected = np.stack([naive_scores(questions, row, days) for row in range(len(questions))])
    np.testing.assert_array_equal(all_scores(within(questions, days), questions), expected)


def test_no_moment_lies_after_the_predicted_click(questions):
    moments = within(questions, 7).moments
    assert (moments <= questions.dataset.histories.times[questions.held_out.positions]).all()


@pytest.mark.parametrize("days", [None, 30])
def test_no_click_after_a_users_moment_reaches_their_scores(questions, days):
    dataset, before = questions.dataset, within(questions, days)
    for row in range(0, len(questions), 5):
        later = dataset.histories.times > before.moments[row]
        changed = replace(questions, dataset=with_items(dataset, others(dataset, later)))
        assert within(changed, days)(slice(row, row + 1)).equal(before(slice(row, row + 1)))


def test_no_click_outside_training_is_counted(any_dataset):
    held_out = ~any_dataset.split.in_training(any_dataset.histories)
    changed = with_items(any_dataset, others(any_dataset, held_out))
    one, two = (Questions.of_test(each, exclude_seen=False) for each in (any_dataset, changed))
    for days in WINDOWS:
        np.testing.assert_array_equal(all_scores(within(one, days), one), all_scores(within(two, days), two))


@pytest.mark.parametrize("any_dataset", ["dataset_by_time"], indirect=True)
def test_by_time_the_window_of_everything_ranks_as_popular_does(questions):
    one, two = (
        rank(questions, scorer, k=10, advance=lambda users: None)
        for scorer in (within(questions, None), Popular(questions))
    )
    np.testing.assert_array_equal(one.ranks, two.ranks)
    np.testing.assert_array_equal(one.items, two.items)


AGES = {1: 0.5, 3: 2, 7: 5, 30: 20, 90: 60, 365: 200, None: 500}
"""Days before the end of training at which one item was hot: the longer ago, the hotter."""
ITEMS = {days: item for item, days in enumerate(AGES, start=1)}
NUM_ASKED = 4


def planted(favourite, *, num_validating=1):
    """By time: the favourite of one window is what everybody clicks next."""
    ages, clicks = [], []
    for days, age in AGES.items():
        clicks += [[ITEMS[days]]] * 2 ** (2 + ITEMS[days])
        ages += [age] * 2 ** (2 + ITEMS[days])
    clicks += [[8, *[ITEMS[favourite]] * num_validating, 9]] * NUM_ASKED
    train = [1] * len(clicks)
    validation = [0] * len(ages) + [num_validating] * NUM_ASKED
    dataset = dataset_of(clicks, num_items=9, train=train, validation=validation, split="by_time")
    times = [*(-age for age in ages), *[0, *[1] * num_validating, 2] * NUM_ASKED]
    histories, manifest = dataset.histories, dataset.manifest
    return replace(
        dataset,
        histories=Histories(histories.items, (np.array(times) * A_DAY).astype(np.int64), histories.offsets),
        manifest=manifest.model_copy(update={"time_kind": "calendar"}),
    )


@pytest.mark.parametrize("days", WINDOWS)
def test_the_window_that_tells_most_on_validation_is_chosen(days):
    questions = Questions.of_test(planted(days), exclude_seen=False)
    scorer = RecentlyPopular(questions)
    assert scorer.within.days == days
    assert all_scores(scorer, questions).argmax(axis=1).tolist() == [ITEMS[days]] * NUM_ASKED
    told = {None: "all earlier clicks", 1: "clicks of the last day"}.get(days, f"clicks of the last {days} days")
    assert scorer.detail == f"{told}, chosen on validation"


@pytest.mark.parametrize("clicked", ITEMS.values())
def test_the_choice_knows_no_test_click(clicked):
    dataset = planted(7)
    items = np.where(dataset.histories.items == 9, clicked, dataset.histories.items)
    questions = Questions.of_test(with_items(dataset, items), exclude_seen=False)
    assert (questions.targets == clicked).all()
    assert RecentlyPopular(questions).within.days == 7


def test_the_choice_is_made_under_the_filter_of_the_questions():
    dataset = planted(7, num_validating=2)
    chosen = [RecentlyPopular(Questions.of_test(dataset, exclude_seen=seen)).within.days for seen in (False, True)]
    assert chosen == [7, WINDOWS[0]], "what was seen before cannot be hit, so that all windows are equally good"


def test_where_nobody_validates_it_says_so():
    scorer = RecentlyPopular(Questions.of_test(planted(90, num_validating=0), exclude_seen=False))
    assert scorer.detail == "clicks of the last 7 days, not chosen: nobody validates"
    assert scorer.within.days == 7


def test_without_a_calendar_there_is_none(any_dataset, dataset):
    assert why_not(any_dataset) is None
    assert why_not(dataset) == "without a calendar"
    with pytest.raises(AssertionError, match="without a calendar"):
        RecentlyPopular(Questions.of_test(dataset, exclude_seen=False))
