"""What the report shows of the item vectors: neighbourhoods and the map."""

import dataclasses

import numpy as np
import pytest

from recsys.data.feature_table import Features
from recsys.evaluation.report.item_map import item_map
from recsys.evaluation.report.neighbourhoods import neighbourhoods
from tests.evaluation.conftest import dataset_of, random_clicks
from tests.evaluation.report.test_gather import feature_of


def directions_of(dataset, seed=0, dim=8):
    vectors = np.random.default_rng(seed).normal(size=(len(dataset.items) + 1, dim)).astype(np.float32)
    vectors[0] = 0
    vectors[1:] /= np.linalg.norm(vectors[1:], axis=1, keepdims=True)
    return vectors


@pytest.fixture
def wide_dataset():
    """120 items, of which the first are clicked most."""
    random = np.random.default_rng(0)
    clicks = [np.minimum(random.geometric(0.03, 40), 120).tolist() for _ in range(60)]
    return dataset_of(clicks, num_items=120)


@pytest.fixture(params=["dataset", "dataset_by_time", "wide_dataset"])
def any_dataset(request):
    return request.getfixturevalue(request.param)


def index_of(item):
    return int(item.item_id) // 10


def test_neighbours_are_those_of_a_naive_cosine(any_dataset):
    directions = directions_of(any_dataset)
    candidates = np.flatnonzero(any_dataset.candidates)
    found = neighbourhoods(any_dataset, directions)
    assert found
    for hood in found:
        item = index_of(hood.item)
        others = candidates[candidates != item]
        cosines = (directions[others] * directions[item]).sum(axis=1)
        nearest = others[np.argsort(-cosines)][:8]
        assert [index_of(neighbour) for neighbour, _ in hood.neighbours] == nearest.tolist()
        np.testing.assert_allclose([cosine for _, cosine in hood.neighbours], -np.sort(-cosines)[:8], rtol=1e-5)


def test_the_most_clicked_item_comes_first_and_none_is_the_neighbour_of_an_earlier_one(any_dataset):
    found = neighbourhoods(any_dataset, directions_of(any_dataset))
    counts = any_dataset.training_counts()
    chosen = [index_of(hood.item) for hood in found]
    assert counts[chosen[0]] == counts.max()
    assert (np.diff(counts[chosen]) <= 0).all()
    for place, hood in enumerate(found):
        assert not {index_of(neighbour) for neighbour, _ in hood.neighbours} & set(chosen[place:])


def test_a_catalogue_of_two_items_has_one_neighbourhood():
    dataset = dataset_of([[1, 2, 1]], num_items=2)
    (only,) = neighbourhoods(dataset, directions_of(dataset))
    assert index_of(only.item) == 1
    assert [index_of(neighbour) for neighbour, _ in only.neighbours] == [2]


def test_only_candidates_are_neighbours(dataset_by_time):
    for hood in neighbourhoods(dataset_by_time, directions_of(dataset_by_time)):
        assert dataset_by_time.candidates[[index_of(neighbour) for neighbour, _ in hood.neighbours]].all()


def test_the_map_has_every_clicked_item_once_within_its_frame(any_dataset):
    found = item_map(any_dataset, directions_of(any_dataset))
    counts = any_dataset.training_counts()
    clicked = np.flatnonzero(any_dataset.candidates & (counts > 0))
    assert sorted(int(point.name) // 10 for point in found.points) == clicked.tolist()
    places = np.array([(point.x, point.y) for point in found.points])
    assert np.abs(places).max() == pytest.approx(1.0)
    for point in found.points:
        assert point.clicks == counts[int(point.name) // 10]
        assert 0 <= point.group < len(found.groups) <= 7


def test_the_map_is_the_same_twice(wide_dataset):
    directions = directions_of(wide_dataset)
    assert item_map(wide_dataset, directions) == item_map(wide_dataset, directions)


def test_only_the_most_clicked_items_are_on_the_map(wide_dataset, monkeypatch):
    monkeypatch.setattr("recsys.evaluation.report.item_map.MOST", 40)
    found = item_map(wide_dataset, directions_of(wide_dataset))
    assert found.about == "t-SNE of the 40 most clicked items"
    counts = wide_dataset.training_counts()
    assert sorted((point.clicks for point in found.points), reverse=True) == sorted(counts, reverse=True)[:40]


def test_items_that_are_alike_lie_together(wide_dataset):
    corners = np.eye(8, dtype=np.float32)[np.arange(121) % 4]
    directions = corners + directions_of(wide_dataset) * 0.1
    points = item_map(wide_dataset, directions / np.linalg.norm(directions, axis=1, keepdims=True)).points
    places = np.array([(point.x, point.y) for point in points])
    kinds = np.array([int(point.name) // 10 % 4 for point in points])
    distances = np.linalg.norm(places[:, None] - places, axis=2) + 9 * np.eye(len(places))
    assert (kinds[distances.argmin(axis=1)] == kinds).mean() > 0.95


@pytest.mark.parametrize("num_items", [2, 4, 5, 29])
def test_a_tiny_catalogue_is_projected_or_not_drawn(num_items):
    clicks = [[1 + (user + step) % num_items for step in range(5)] for user in range(num_items)]
    dataset = dataset_of(clicks, num_items=num_items)
    found = item_map(dataset, directions_of(dataset))
    if num_items < 5:
        assert found is None
    else:
        assert found.about == f"PCA of the {num_items} most clicked items"


def test_items_of_one_vector_lie_on_one_point():
    dataset = dataset_of(random_clicks(num_items=6), num_items=6)
    found = item_map(dataset, np.ones((7, 8), dtype=np.float32))
    assert {(point.x, point.y) for point in found.points} == {(0.0, 0.0)}


def with_values(dataset, values):
    return dataclasses.replace(dataset, features=Features([feature_of(values)]))


def groups_of(dataset):
    found = item_map(dataset, directions_of(dataset))
    return found, {int(point.name) // 10: found.groups[point.group] for point in found.points}


def test_few_values_are_a_group_each(dataset):
    found, groups = groups_of(with_values(dataset, [[f"v{item % 3}"] for item in range(1, 31)]))
    assert found.coloured_by == "colour"
    assert set(found.groups) == {"v0", "v1", "v2"}
    assert all(group == f"v{item % 3}" for item, group in groups.items())


def test_rare_and_missing_values_are_other(dataset):
    values = [[f"v{min(item, 9)}"] if item < 25 else [] for item in range(30)]
    found, groups = groups_of(with_values(dataset, values))
    assert len(found.groups) == 7
    assert found.groups[0] == "v9"
    assert found.groups[-1] == "other"
    assert all(groups[item] == "other" for item in range(26, 31))


def test_of_several_values_the_rarest_that_is_shown_counts(dataset):
    values = [["often", "rare"] if item % 5 == 0 else ["often", f"only {item}"] for item in range(30)]
    found, groups = groups_of(with_values(dataset, values))
    assert found.coloured_by == "colour (of several, the rarest of those shown)"
    assert all(group == "rare" for item, group in groups.items() if item % 5 == 1)


def test_without_features_clicks_colour_the_map(wide_dataset):
    found, groups = groups_of(wide_dataset)
    assert found.coloured_by == "clicks in training"
    assert len(found.groups) == 4
    counts = wide_dataset.training_counts()
    for item, group in groups.items():
        low, *high = (int(text) for text in group.removesuffix(" clicks").split("-"))
        assert low <= counts[item] <= (high or [low])[0]
    assert counts.max() == int(found.groups[0].removesuffix(" clicks").split("-")[-1])
