import numpy as np
import pytest

from recsys.evaluation.equal_parts import borders, part_of, range_text


@pytest.mark.parametrize("num_parts", [2, 3, 4])
@pytest.mark.parametrize("spread", [1, 3, 1000])
def test_parts_follow_the_values_and_no_part_is_empty(num_parts, spread):
    random = np.random.default_rng(spread)
    values, weights = random.integers(0, spread, 200), random.integers(1, 5, 200)
    parts = part_of(values, weights, num_parts)
    order = np.argsort(values)
    assert (np.diff(parts[order]) >= 0).all()
    assert set(parts.tolist()) == set(range(parts.max() + 1)) <= set(range(num_parts))
    assert all(len(set(parts[values == value].tolist())) == 1 for value in values)


def test_distinct_values_of_equal_weight_are_parted_evenly():
    parts = part_of(np.random.default_rng(0).permutation(99), np.ones(99, dtype=int), 3)
    assert np.bincount(parts).tolist() == [33, 33, 33]


def test_weight_counts_and_not_number():
    assert borders(np.array([1, 2, 10]), np.array([1, 2, 10]), 2).tolist() == [10]
    assert borders(np.array([1, 2, 10]), np.array([8, 1, 1]), 2).tolist() == [2]


def test_where_borders_coincide_there_are_fewer_parts():
    assert part_of(np.array([4, 4, 4]), np.ones(3, dtype=int), 3).tolist() == [0, 0, 0]
    assert part_of(np.array([4, 5, 4, 4]), np.ones(4, dtype=int), 3).tolist() == [0, 1, 0, 0]


def test_a_range_names_both_of_its_ends():
    assert range_text(np.array([4, 2, 1200])) == "2-1,200"
    assert range_text(np.array([4, 4])) == "4"
