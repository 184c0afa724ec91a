"""Nearest items of one, of many, of several together; filters; through an index and exactly."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from recsys.bundle.contents import Indexed
from recsys.bundle.opened import open_bundle
from recsys.bundle.publish import publish
from recsys.errors import BundleError, ConfigError, DataError, UnknownItem
from recsys.index import trial
from recsys.index.config import IvfIndex
from recsys.lookups import Lookups
from recsys.recommender import Recommender
from tests.bundle.made import NUM_ITEMS, RECORD, made_contents, made_dataset, made_recommender

IDS = [f"i{10 * number:03}" for number in range(1, NUM_ITEMS + 1)]


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    return made_recommender(tmp_path_factory.mktemp("exact"))


@pytest.fixture(scope="module")
def through_lists(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    """Both indices are inverted lists, although there are few items."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trial, "LEAST_ROWS", 10)
        directory = tmp_path_factory.mktemp("lists")
        indexed = Indexed(IvfIndex(num_lists=8, visited=1), is_recommend_approximate=True)
        contents = made_contents(made_dataset(directory / "dataset"), indexed=indexed)
        return Recommender(open_bundle(publish(contents, directory, RECORD)))


@pytest.fixture(params=["exact", "through_lists"])
def opened(request: pytest.FixtureRequest) -> Recommender:
    return request.getfixturevalue(request.param)


def test_many_equal_one_by_one(opened: Recommender) -> None:
    together = opened.similar_many(IDS, k=7)
    assert together == [opened.similar(item, k=7) for item in IDS]
    assert opened.similar_many(IDS, k=7, exact=True) == [opened.similar(item, k=7, exact=True) for item in IDS]
    assert opened.similar_many([]) == []


def test_scores_are_cosines_whatever_found_them(opened: Recommender) -> None:
    vectors = opened.bundle.item_vectors[1:].astype(np.float64)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for row, neighbours in enumerate(opened.similar_many(IDS, k=5)):
        found = [IDS.index(str(neighbour.item)) for neighbour in neighbours]
        assert row not in found
        assert [neighbour.score for neighbour in neighbours] == pytest.approx(
            (units[found] @ units[row]).tolist(), abs=1e-6
        )


def test_an_index_that_visits_a_part_may_miss_what_the_exact_search_finds(through_lists: Recommender) -> None:
    index = through_lists.bundle.index
    assert (index.is_exact, index.statement.kind) == (False, "ivf")
    found, exact = (through_lists.similar_many(IDS, k=3, exact=is_exact) for is_exact in (False, True))
    shared = np.mean(
        [len({one.item for one in a} & {one.item for one in b}) / 3 for a, b in zip(found, exact, strict=True)]
    )
    assert 0.5 < shared < 1.0


@pytest.mark.parametrize("is_exact", [True, False])
def test_filters_leave_lists_full(opened: Recommender, is_exact: bool) -> None:
    allowed, denied = IDS[5:20], IDS[:30]
    assert {one.item for one in opened.similar("i100", k=14, allow=allowed, exact=is_exact)} == set(allowed) - {"i100"}
    assert {one.item for one in opened.similar("i100", k=10, deny=denied, exact=is_exact)} == set(IDS[30:])
    both = opened.similar("i100", k=3, allow=allowed, deny=IDS[:18], exact=is_exact)
    assert [one.item for one in both] == [
        one.item for one in opened.similar("i100", k=3, allow=IDS[18:20], exact=is_exact)
    ]
    assert opened.similar("i100", allow=[], exact=is_exact) == []
    assert opened.similar("i100", deny=IDS, exact=is_exact) == []
    assert opened.similar("i100", k=2, deny=["no such"], exact=is_exact) == opened.similar("i100", k=2, exact=is_exact)
    assert opened.similar("i100", allow=["no such"], exact=is_exact) == []


def test_several_together_are_near_their_mean(exact: Recommender) -> None:
    vectors = exact.bundle.item_vectors[1:].astype(np.float64)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    centre = units[[1, 4, 9]].mean(axis=0)
    order = [place for place in np.argsort(-(units @ centre)) if place not in (1, 4, 9)][:6]
    found = exact.similar_to_all(["i020", "i050", "i100", "i020"], k=6)
    asked = exact.similar_to_all(["i020", "i050", "i100"], k=6)
    assert [one.item for one in asked] == [IDS[place] for place in order]
    assert len(found) == 6 and not {"i020", "i050", "i100"} & {one.item for one in found}
    assert exact.similar_to_all(["i070"], k=5) == pytest.approx(exact.similar("i070", k=5)) or [
        one.item for one in exact.similar_to_all(["i070"], k=5)
    ] == [one.item for one in exact.similar("i070", k=5)]
    assert len(exact.similar_to_all(IDS[:30], k=10**6)) == 10


def test_no_items_and_unknown_items_are_refused(exact: Recommender) -> None:
    with pytest.raises(ConfigError, match="name at least one item"):
        exact.similar_to_all([])
    with pytest.raises(UnknownItem, match="'zzz' is not in"):
        exact.similar_many(["i010", "zzz"])
    with pytest.raises(DataError, match=r"several items are a list of ids, got the text 'i010': give \['i010'\]"):
        exact.similar_many("i010")
    with pytest.raises(DataError, match="ids here are of type string; found 5"):
        exact.similar("i010", deny=[5])


def test_recommend_takes_filters(opened: Recommender) -> None:
    history, allowed = ["i050", "i120", "i300"], IDS[3:17]
    found = opened.recommend(history, k=8, allow=allowed)
    assert len(found) == 8
    assert {one.item for one in found} <= set(allowed) - set(history)
    others = opened.recommend(history, k=10, deny=IDS[:30])
    assert {one.item for one in others} == set(IDS[30:])
    assert {one.source for one in others} == {"retriever"}
    assert opened.recommend(history, allow=[]) == []
    popular = opened.recommend([], k=40, deny=IDS[:35])
    assert {one.item for one in popular} == set(IDS[35:]) and {one.source for one in popular} == {"popular"}


def test_recommending_through_lists_finds_most_of_the_exact_list(
    exact: Recommender, through_lists: Recommender
) -> None:
    assert through_lists.bundle.manifest.is_recommend_approximate and exact.bundle.recommend_index is None
    histories = [[IDS[n], IDS[(3 * n) % 40], IDS[(7 * n) % 40]] for n in range(40)]
    shares = []
    for ours, theirs in zip(
        through_lists.recommend_many(histories, k=5), exact.recommend_many(histories, k=5), strict=True
    ):
        scores = {one.item: one.score for one in theirs}
        shares.append(np.mean([one.item in scores for one in ours]))
        assert len(ours) == 5
        assert all(one.score == pytest.approx(scores[one.item], abs=1e-5) for one in ours if one.item in scores)
    assert 0.6 < np.mean(shares) <= 1.0


def test_recommending_through_an_index_never_shortens_a_list(through_lists: Recommender) -> None:
    everything_but_two = [IDS[:38]]
    [found] = through_lists.recommend_many(everything_but_two, k=2)
    assert {one.item for one in found} == set(IDS[38:])
    assert through_lists.recommend(IDS) == []


def test_an_index_of_another_bundle_is_refused(exact: Recommender, tmp_path: Path) -> None:
    contents = made_contents(made_dataset(tmp_path / "dataset"), seed=5)
    with pytest.raises(BundleError, match=r"similar\.vectors\.npy does not match its checksum"):
        bundle = publish(contents, tmp_path, RECORD)
        (exact.bundle.path / "similar.vectors.npy").read_bytes()
        (bundle / "similar.vectors.npy").write_bytes((exact.bundle.path / "similar.vectors.npy").read_bytes())
        open_bundle(bundle)


def test_parts_are_all_items(exact: Recommender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recsys.lookups.AT_ONCE", 7)
    lookups, items = Lookups(exact.bundle), np.arange(1, NUM_ITEMS + 1)
    parts = list(lookups.parts(items, 4))
    assert [len(own) for own, _ in parts] == [7, 7, 7, 7, 7, 5]
    whole = lookups.near_each(items, 4)
    assert (np.concatenate([found.items for _, found in parts]) == whole.items).all()


def test_with_an_index_nobody_is_answered_by_who_asks_beside_them(through_lists: Recommender) -> None:
    histories = [[item] for item in IDS] + [IDS[:30], IDS[:7] * 4]
    together = through_lists.recommend_many(histories, k=3)
    for one, history in zip(together, histories, strict=True):
        assert [each.item for each in one] == [each.item for each in through_lists.recommend(history, k=3)]


def test_what_is_retired_is_found_neither_alone_nor_in_a_batch(tmp_path: Path) -> None:
    opened = made_recommender(tmp_path)
    gone = opened.similar("i050", k=1)[0].item
    opened.bundle.index.retire(np.array([IDS.index(str(gone))]))
    assert gone not in {one.item for one in opened.similar("i050", k=40)}
    assert gone not in {one.item for own in opened.similar_many(IDS, k=40) for one in own}


def test_the_popular_items_leave_out_what_was_seen(tmp_path: Path) -> None:
    opened = made_recommender(tmp_path)
    unread = dataclasses.replace(opened.bundle, known=np.zeros(NUM_ITEMS + 1, np.bool_))
    found = Recommender(unread).recommend(IDS[:35], k=10)
    assert {one.item for one in found} == set(IDS[35:])
    assert {one.source for one in found} == {"popular"}
    assert len(Recommender(unread).recommend(IDS[:35], k=10, exclude_seen=False)) == 10
