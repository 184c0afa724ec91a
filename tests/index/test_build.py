"""`auto` takes the cheapest index that is good enough, and says why it took none."""

import numpy as np
import pytest

from recsys.index import build
from recsys.index.build import build_index
from recsys.index.config import AutoIndex, IvfIndex
from tests.index.made import clustered


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a few thousand rows were many."""
    monkeypatch.setattr(build, "EXACT_NUMBERS", 10_000)


def test_a_small_catalogue_stays_exact() -> None:
    told: list[str] = []
    assert build_index(clustered(5_000), AutoIndex(), tell=told.append).is_exact
    assert told == []


def test_too_few_rows_to_train_on_stay_exact() -> None:
    told: list[str] = []
    assert build_index(clustered(999), IvfIndex(), tell=told.append).is_exact
    assert told == ["index: 999 items are fewer than 1,000: the search stays exact"]


@pytest.mark.usefixtures("small")
def test_clusters_are_worth_lists() -> None:
    told: list[str] = []
    statement = build_index(clustered(20_000), AutoIndex(), tell=told.append).statement
    assert statement.kind == "ivf"
    assert statement.recall_10 >= 0.98
    assert statement.effort is not None and statement.effort.visited <= 16
    assert any("of the exact search's work" in line for line in told)


@pytest.mark.usefixtures("small")
def test_where_there_is_not_enough_memory_the_codes_are_small() -> None:
    told: list[str] = []
    statement = build_index(clustered(60_000), AutoIndex(max_mb=1, min_recall=0.7), tell=told.append).statement
    assert statement.kind == "pq"
    assert statement.num_bytes <= 1e6
    assert any("ivf would take 4 MB, more than index.max_mb" in line for line in told)


@pytest.mark.usefixtures("small")
def test_where_nothing_is_near_anything_it_says_so_and_stays_exact() -> None:
    told: list[str] = []
    vectors = np.random.default_rng(0).standard_normal((5_000, 48)).astype(np.float32)
    index = build_index(vectors, AutoIndex(min_recall=1.0), tell=told.append)
    assert index.is_exact
    assert told[-1].endswith("with a third of the exact search's work: it stays exact")


@pytest.mark.usefixtures("small")
def test_equal_vectors_make_equal_indices() -> None:
    one, other = (build_index(clustered(8_000), AutoIndex(), tell=lambda _: None) for _ in range(2))
    asked = clustered(50, seed=3)
    assert one.statement == other.statement
    assert (one.search(asked, 10).rows == other.search(asked, 10).rows).all()
