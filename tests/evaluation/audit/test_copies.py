"""Copied users and near-duplicates, against plain loops over all pairs."""

import numpy as np
import pytest

from recsys.evaluation.audit.clicks import Clicks
from recsys.evaluation.audit.copies import RUN, SHARED, check_copies
from recsys.evaluation.audit.near_duplicates import LEAST_ITEMS, LIKE, ItemSets, num_alike
from recsys.evaluation.questions import Questions
from tests.evaluation.conftest import dataset_of, random_clicks


def jaccard(one, other):
    return len(one & other) / len(one | other)


def naive_num_alike(sets):
    long = [one for one in sets if len(one) >= LEAST_ITEMS]
    return sum(any(i != j and jaccard(long[i], long[j]) >= LIKE for j in range(len(long))) for i in range(len(long)))


def flat(sets, random):
    """The sets as clicks in any order, some of them twice."""
    clicks = [random.permutation([*items, *list(items)[:2]]) for items in sets]
    users = np.repeat(np.arange(1, len(sets) + 1), [len(one) for one in clicks])
    return np.concatenate(clicks).astype(np.int32), users.astype(np.int32)


@pytest.mark.parametrize("seed", range(5))
def test_near_duplicates_are_those_of_a_double_loop(seed):
    random = np.random.default_rng(seed)
    sets = [set(random.choice(500, int(random.integers(3, 60)), replace=False) + 1) for _ in range(100)]
    # some are followed by a near-duplicate: .95 of the items at least, or just too few
    for place, lost in ((10, 0.02), (20, 0.04), (30, 0.3), (40, 0.0)):
        sets[place] = set(range(1, 101))
        sets[place + 1] = set(range(1, 101 - int(100 * lost))) | {place + 200}
        sets[place] |= {place + 100}
    items, users = flat(sets, random)
    alike, large = num_alike(items, users, num_items=500)
    assert large == sum(len(one) >= LEAST_ITEMS for one in sets)
    assert alike == naive_num_alike(sets) > 0


def test_a_crowd_of_equals_is_found_whole(random):
    items, users = flat([set(range(1, 30))] * 5000, random)
    assert num_alike(items, users, num_items=30) == (5000, 5000)


def test_nobody_is_alike_where_nobody_is_long(random):
    items, users = flat([{1, 2, 3}, {1, 2, 3}], random)
    assert num_alike(items, users, num_items=30) == (0, 0)
    assert len(ItemSets.of(items, users, num_items=30)) == 0


def copied(dataset):
    """Targets with the clicks before them that stand in anyone's training clicks, found by comparing all of them."""
    histories, split = dataset.histories, dataset.split
    clicks = list(zip(histories.items.tolist(), histories.times.tolist(), strict=True))
    trained = {
        tuple(clicks[place - RUN + 1 : place + 1])
        for begin, end in zip(histories.offsets[:-1], split.train_end, strict=True)
        for place in range(begin + RUN - 1, end)
    }
    held_out = split.test(histories)
    return sum(
        tuple(clicks[position - RUN + 1 : position + 1]) in trained
        and all(clicks.count(click) <= SHARED for click in clicks[position - RUN + 1 : position + 1])
        for user, position in zip(held_out.users, held_out.positions, strict=True)
        if position - histories.offsets[user] >= RUN - 1
    )


@pytest.mark.parametrize("kind, verdict", [("calendar", "leak"), ("order", "noted")])
def test_copies_are_those_of_a_plain_search(kind, verdict):
    original = [1, 2, 3, 4, 5, 6, 7]
    clicks = [original, [9, *original, 8, 8], [2, 3, 4, 5, 6, 7, 9, 9, 9], *random_clicks(num_users=40)]
    dataset = dataset_of(clicks, num_items=30)
    times = np.concatenate([np.arange(len(one)) for one in clicks])
    times[:17] += 1000
    times[7:17] -= 1  # the first copy's times are the original's, and the second one's are not
    object.__setattr__(dataset.histories, "times", times)
    object.__setattr__(dataset, "manifest", dataset.manifest.model_copy(update={"time_kind": kind}))
    finding = check_copies(Questions.of_test(dataset, exclude_seen=False), Clicks.of(dataset))
    assert finding.numbers["copied targets"] == copied(dataset) == 1
    assert finding.verdict == verdict


def test_what_has_times_of_its_own_is_no_copy():
    """Lectures: whoever attends the same ones does so at the same times."""
    random = np.random.default_rng(0)
    attended = [np.sort(random.permutation(12)[: random.integers(8, 12)]) for _ in range(60)]
    dataset = dataset_of([(1 + lectures).tolist() for lectures in attended], num_items=12)
    object.__setattr__(dataset.histories, "times", np.concatenate(attended) * 90_061_000_000)
    object.__setattr__(dataset, "manifest", dataset.manifest.model_copy(update={"time_kind": "calendar"}))
    finding = check_copies(Questions.of_test(dataset, exclude_seen=False), Clicks.of(dataset))
    assert finding.verdict == "passed"
