"""A number finds the stretch that it was cut into, by the stretches' names alone."""

import numpy as np
import polars as pl
import pytest

from recsys.data.buckets import Buckets
from recsys.data.categorical import feature_of
from recsys.data.feature_column import CategoricalColumn
from recsys.data.numerals import number_of


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("buckets", [2, 7, 40])
def test_every_number_of_a_column_finds_its_value(seed: int, buckets: int) -> None:
    random = np.random.default_rng(seed)
    kinds = [random.normal(0, 10.0**seed, 50), random.integers(-3, 3, 50), np.repeat([0, 10], 3), np.full(5, 1e-9)]
    for numbers in kinds:
        column = CategoricalColumn(column="x", buckets=buckets)
        rows = pl.Series(np.arange(len(numbers)))
        feature = feature_of(rows, pl.Series("x", numbers), column, num_rows=len(numbers), key="")
        found = Buckets.of([*feature.labels])
        assert found is not None
        assert [found.value_of(number) for number in numbers.tolist()] == feature.values.tolist()
        outside = [found.value_of(numbers.min() - 1), found.value_of(numbers.max() + 1)]
        assert outside == [feature.values[numbers.argmin()], feature.values[numbers.argmax()]]


def test_a_number_in_a_stretch_that_nothing_lay_in_is_nothing() -> None:
    found = Buckets.of(["0.0 to 1.5", "8.5 to 10.0"])
    assert found is not None
    assert [found.value_of(number) for number in (1.4, 1.5, 5.0, 8.5, 99.0)] == [1, 0, 0, 2, 2]


@pytest.mark.parametrize("names", [[], ["a"], ["1.0 to 2.0", "b"], ["1 to x"], ["all", "some"]])
def test_other_names_are_no_stretches(names: list[str]) -> None:
    assert Buckets.of(names) is None


def test_numbers_as_text() -> None:
    texts = ["5", "-5", "5.0", "1e-7", "1.5e+20", "01", "+1", "1_0", "nan", "", "1" * 500]
    assert [number_of(text) for text in texts] == [5, -5, 5.0, 1e-7, 1.5e20, *[None] * 6]
