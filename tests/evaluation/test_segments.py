import dataclasses

import numpy as np
import pytest

from recsys.data.histories import Histories
from recsys.data.split import HeldOut
from recsys.evaluation.metrics import hit_rate, ndcg
from recsys.evaluation.questions import Questions
from recsys.evaluation.segments import GAPS, HOUR, Parting, segment_results, segmentations
from recsys.topk import UNRANKED
from tests.evaluation.conftest import dataset_of, random_clicks


def timed(dataset, kind, times):
    """The dataset with other times, of another kind."""
    histories = dataset.histories
    manifest = dataset.manifest.model_copy(update={"time_kind": kind})
    with_times = Histories(histories.items, np.asarray(times, dtype=np.int64), histories.offsets)
    return dataclasses.replace(dataset, manifest=manifest, histories=with_times)


def random_times(dataset, seed=0):
    """Rising within each user, gaps from a minute to a month."""
    random = np.random.default_rng(seed)
    offsets = dataset.histories.offsets
    gaps = (HOUR * 10 ** random.uniform(-2, 3, len(dataset.histories.items))).astype(np.int64)
    ends = np.concatenate([[0], np.cumsum(gaps)])
    return 1_600_000_000_000_000 + ends[1:] - np.repeat(ends[offsets[:-1]], np.diff(offsets))


@pytest.fixture(params=["calendar", "relative", "order"])
def kind(request):
    return request.param


@pytest.fixture(params=["dataset", "dataset_by_time"])
def any_dataset(request, kind):
    dataset = request.getfixturevalue(request.param)
    return timed(dataset, kind, random_times(dataset))


def questions_of(dataset):
    return Questions.of_test(dataset, exclude_seen=False)


def parting_of(dataset, name):
    return next(parting for parting in segmentations(questions_of(dataset)) if parting.name == name)


def pasts(questions):
    """[user] all its clicks before the target, as a list."""
    histories = questions.dataset.histories
    begins = histories.offsets[questions.held_out.users]
    return [
        histories.items[begin:end].tolist() for begin, end in zip(begins, questions.held_out.positions, strict=True)
    ]


def test_everybody_is_in_exactly_one_segment(any_dataset):
    partings = segmentations(questions_of(any_dataset))
    assert len({parting.name for parting in partings}) == len(partings) >= 3
    for parting in partings:
        np.testing.assert_array_equal(np.sum(list(parting.masks.values()), axis=0), 1)


def test_the_order_of_the_users_makes_no_difference(any_dataset):
    questions = questions_of(any_dataset)
    order = np.random.default_rng(1).permutation(len(questions))
    held_out = HeldOut(questions.held_out.users[order], questions.held_out.positions[order])
    shuffled = dataclasses.replace(questions, held_out=held_out)
    for parting, other in zip(segmentations(questions), segmentations(shuffled), strict=True):
        assert list(parting.masks) == list(other.masks)
        for name, mask in parting.masks.items():
            np.testing.assert_array_equal(other.masks[name], mask[order])


def test_what_needs_a_clock_is_left_out_without_one(dataset):
    times = random_times(dataset)
    names = {
        kind: {parting.name for parting in segmentations(questions_of(timed(dataset, kind, times)))}
        for kind in ("calendar", "relative", "order")
    }
    assert names["calendar"] - names["relative"] == {"age of the target"}
    assert names["relative"] - names["order"] == {"time since the last click"}


def test_history_lengths_count_readable_clicks_and_say_their_bounds(dataset_by_time):
    questions, trained = questions_of(dataset_by_time), dataset_by_time.trained_items
    lengths = np.array([sum(trained[item] for item in past) for past in pasts(questions)])
    masks = parting_of(dataset_by_time, "history length").masks
    assert [name.split()[0] for name in masks] == ["short", "middle", "long"]
    for name, mask in masks.items():
        own = lengths[mask]
        assert name.split("(")[1] == f"{own.min()}-{own.max()} clicks)"
    assert next(iter(masks)).startswith("short (0-")


def test_histories_of_one_length_are_one_segment():
    masks = parting_of(dataset_of([[1, 2, 3, 1]] * 5, num_items=3), "history length").masks
    assert list(masks) == ["all (3 clicks)"]


def test_head_torso_and_tail_have_about_a_third_of_the_clicks_each():
    random = np.random.default_rng(0)
    clicks = [1 + np.minimum(random.geometric(0.03, 30), 200) for _ in range(200)]
    dataset = dataset_of([history.tolist() for history in clicks], num_items=201)
    masks = parting_of(dataset, "target popularity").masks
    counts = dataset.training_counts()
    popularity = counts[questions_of(dataset).targets]
    parts = [popularity[mask] for mask in masks.values()]
    assert [name.split()[0] for name in masks] == ["head", "torso", "tail", "cold"]
    assert parts[0].min() > parts[1].max() >= parts[1].min() > parts[2].max() >= parts[2].min() > 0
    for name in list(masks)[:3]:
        low, high = (int(text) for text in name.split("(")[1].split()[0].split("-"))
        assert counts[(counts >= low) & (counts <= high)].sum() / counts.sum() == pytest.approx(1 / 3, abs=0.05)


def test_cold_targets_are_those_that_nobody_clicked_in_training(dataset_by_time):
    masks = parting_of(dataset_by_time, "target popularity").masks
    targets = questions_of(dataset_by_time).targets
    np.testing.assert_array_equal(masks["cold (never trained)"], ~dataset_by_time.trained_items[targets])


def test_a_gap_at_a_border_belongs_to_the_longer_side():
    gaps = [0, HOUR - 1, HOUR, 24 * HOUR - 1, 24 * HOUR, 7 * 24 * HOUR - 1, 7 * 24 * HOUR, 10**15]
    times = np.concatenate([[10**15, 10**15, 10**15 + gap] for gap in gaps])
    dataset = timed(dataset_of([[1, 2, 3]] * len(gaps), num_items=3), "calendar", times)
    masks = parting_of(dataset, "time since the last click").masks
    assert {name: np.flatnonzero(mask).tolist() for name, mask in masks.items()} == dict(
        zip(GAPS, ([0, 1], [2, 3], [4, 5], [6, 7]), strict=True)
    )


def test_relative_gaps_are_parted_whatever_they_count(dataset):
    times = random_times(dataset)
    one = parting_of(timed(dataset, "relative", times), "time since the last click").masks
    other = parting_of(timed(dataset, "relative", times * 7), "time since the last click").masks
    assert list(one) == list(other) == ["short", "middle", "long"]
    for name, mask in one.items():
        np.testing.assert_array_equal(mask, other[name])


def test_seen_before_is_what_the_user_had_clicked(any_dataset):
    questions = questions_of(any_dataset)
    expected = [target in past for target, past in zip(questions.targets.tolist(), pasts(questions), strict=True)]
    found = parting_of(any_dataset, "target seen before").masks["seen before"]
    assert found.tolist() == expected
    assert found.sum() == questions.are_repeated.sum() > 0


def test_a_target_is_new_from_the_last_tenth_of_the_training_time_on():
    day, start = 24 * HOUR, 1_600_000_000_000_000
    clicks = [[1, 2, 4, 3], [2, 1, 1, 5], [2, 1, 2, 6], [3, 2, 1, 4]]
    days = [[0, 1, 200, 201], [1, 100, 101, 102], [1, 2, 3, 95], [89, 90, 91, 202]]
    times = start + day * np.concatenate(days)
    dataset = timed(dataset_of(clicks, num_items=6), "calendar", times)
    # training lasts from day 0 to day 100; the targets were first clicked on the days 89, 102, 95 and 200
    assert [mask.tolist() for mask in parting_of(dataset, "age of the target").masks.values()] == [
        [True, False, False, False],
        [False, True, True, True],
    ]


def test_results_are_the_metrics_of_each_segments_users():
    random = np.random.default_rng(0)
    ranks = {
        system: np.where(random.random(400) < 0.1, UNRANKED, random.integers(1, 30, 400)) for system in ("one", "two")
    }
    half = np.arange(400) < 200
    parting = Parting("halves", {"first": half, "second": ~half, "nobody": np.zeros(400, dtype=bool)})
    (found,) = segment_results([parting], ranks)
    assert [segment.users for segment in found.segments] == [200, 200, 0]
    assert found.segments[2].metrics == {}
    for segment, mask in zip(found.segments[:2], (half, ~half), strict=True):
        for system, metrics in segment.metrics.items():
            for name, values in (("HR@10", hit_rate), ("NDCG@10", ndcg)):
                estimate = metrics[name]
                assert estimate.value == pytest.approx(values(ranks[system], 10)[mask].mean())
                spread = values(ranks[system], 10)[mask].std() / np.sqrt(200)
                assert estimate.low == pytest.approx(estimate.value - 1.96 * spread, abs=0.4 * spread)
                assert estimate.high == pytest.approx(estimate.value + 1.96 * spread, abs=0.4 * spread)


def test_results_are_the_same_twice():
    ranks = {"one": np.random.default_rng(0).integers(1, 30, 60)}
    partings = segmentations(questions_of(dataset_of(random_clicks(num_users=60), num_items=30)))
    assert segment_results(partings, ranks) == segment_results(partings, ranks)
