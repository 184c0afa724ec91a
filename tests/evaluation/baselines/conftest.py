"""Small datasets with a calendar, and plain lists of what trains in them."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.data.events.times import A_DAY
from recsys.data.histories import Histories
from recsys.evaluation.questions import Questions

DAYS = 500
"""Over which training clicks are spread, each at noon: many have the same time."""


def with_calendar(dataset, seed=0):
    """Days drawn at random, rising for each user; by time, every held-out click lies behind all of training."""
    random = np.random.default_rng(seed)
    histories, times = dataset.histories, []
    for user, length in enumerate(histories.lengths):
        days = np.sort(random.integers(0, DAYS, length))
        if dataset.manifest.split == "by_time":
            num_training = int(dataset.split.train_end[user] - histories.offsets[user])
            days[num_training:] = DAYS + np.arange(length - num_training)
        times.append(days * A_DAY + A_DAY // 2)
    return replace(
        dataset,
        histories=Histories(histories.items, np.concatenate(times).astype(np.int64), histories.offsets),
        manifest=dataset.manifest.model_copy(update={"time_kind": "calendar"}),
    )


def with_items(dataset, items):
    histories = dataset.histories
    return replace(dataset, histories=Histories(items.astype(np.int32), histories.times, histories.offsets))


def others(dataset, chosen):
    """[clicks] items, those of the chosen clicks being others."""
    items = np.asarray(dataset.histories.items)
    return np.where(chosen, 1 + items % len(dataset.items), items)


def training_clicks(dataset):
    """[user] its training clicks, as a list."""
    offsets, ends = dataset.histories.offsets, dataset.split.train_end
    return [dataset.histories.items[offsets[user] : ends[user]].tolist() for user in range(1, len(dataset.users) + 1)]


def readable_pasts(questions):
    """[row] the clicks before the target that may be read, as a list."""
    dataset, histories = questions.dataset, questions.dataset.histories
    for user, position in zip(questions.held_out.users, questions.held_out.positions, strict=True):
        past = histories.items[histories.offsets[user] : position].tolist()
        yield [item for item in past if not dataset.skips_untrained or dataset.trained_items[item]]


def all_scores(scorer, questions):
    return scorer(slice(0, len(questions))).numpy()


@pytest.fixture(params=["dataset", "dataset_by_time"])
def any_dataset(request):
    """With a calendar."""
    return with_calendar(request.getfixturevalue(request.param))


@pytest.fixture
def questions(any_dataset):
    return Questions.of_test(any_dataset, exclude_seen=False)
