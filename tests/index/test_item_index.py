"""The index is argsort of inner products, and refuses everything that FAISS would let through."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.index.item_index import ItemIndex
from recsys.index.vectors import unit_rows


def table(rows: int, dim: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, dim)).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(1, 60), dim=st.integers(1, 9), queries=st.integers(1, 30), k=st.integers(1, 80))
def test_search_is_argsort(rows: int, dim: int, queries: int, k: int) -> None:
    vectors, asked = table(rows, dim), table(queries, dim, seed=1)
    answer = ItemIndex.exact(vectors).search(asked, k)
    exact = asked.astype(np.float64) @ vectors.T.astype(np.float64)
    assert answer.rows.shape == (queries, min(k, rows))
    assert answer.found.all()
    expected = -np.sort(-exact, axis=1)[:, : min(k, rows)]
    np.testing.assert_allclose(np.take_along_axis(exact, answer.rows, axis=1), expected, atol=1e-5)
    np.testing.assert_allclose(answer.scores, expected, atol=1e-5)
    assert all(len(set(row)) == len(row) for row in answer.rows.tolist())


def test_more_than_there_are_is_all_there_are() -> None:
    answer = ItemIndex.exact(table(3, 2)).search(table(1, 2), 10**9)
    assert sorted(answer.rows[0].tolist()) == [0, 1, 2]


def test_what_faiss_cannot_rank_is_marked_and_never_minus_one() -> None:
    vectors = np.full((2, 2), 3e38, dtype=np.float32)
    answer = ItemIndex.exact(vectors).search(np.array([[3e38, -3e38]], dtype=np.float32), 2)  # inf - inf
    assert not answer.found.any()
    assert (answer.rows == 0).all() and (answer.scores == -np.inf).all()


@pytest.mark.parametrize("k", [0, -1, True, 1.0, None])
def test_k_is_refused(k: object) -> None:
    with pytest.raises(ValueError, match="k must be an integer of at least 1, got"):
        ItemIndex.exact(table(3, 2)).search(table(1, 2), k)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "bad",
    [table(3, 2).astype(np.float64), table(3, 2)[0], table(3, 2).tolist(), np.zeros((1, 1, 1), np.float32)],
)
def test_shape_and_type_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="vectors must be a two-dimensional float32 array, got"):
        ItemIndex.exact(bad)
    with pytest.raises(ValueError, match="queries must be a two-dimensional float32 array, got"):
        ItemIndex.exact(table(3, 2)).search(bad, 1)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(number: float) -> None:
    bad = table(3, 2)
    bad[1, 1] = number
    with pytest.raises(ValueError, match="vectors must be finite, got 1 NaN or infinite"):
        ItemIndex.exact(bad)
    with pytest.raises(ValueError, match="queries must be finite, got 1 NaN or infinite"):
        ItemIndex.exact(table(3, 2)).search(bad, 1)


@pytest.mark.parametrize("shape", [(0, 2), (2, 0), (0, 0)])
def test_an_empty_index_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least one row and one column"):
        ItemIndex.exact(np.zeros(shape, np.float32))


@pytest.mark.parametrize("width", [1, 3])
def test_a_wrong_width_is_refused(width: int) -> None:
    with pytest.raises(ValueError, match=rf"queries must be 2 wide like the index, got shape \(1, {width}\)"):
        ItemIndex.exact(table(3, 2)).search(table(1, width), 1)


def test_no_queries_no_answers() -> None:
    assert ItemIndex.exact(table(3, 2)).search(table(0, 2), 2).rows.shape == (0, 2)


def test_views_that_are_not_contiguous() -> None:
    vectors, asked = table(8, 6), table(4, 6, seed=1)
    answer = ItemIndex.exact(vectors[::2, ::2]).search(asked[::2, ::2], 4)
    again = ItemIndex.exact(vectors[::2, ::2].copy()).search(asked[::2, ::2].copy(), 4)
    assert (answer.rows == again.rows).all()


def test_saved_and_opened(tmp_path: Path) -> None:
    index = ItemIndex.exact(table(30, 4))
    index.save(tmp_path, "some")
    again = ItemIndex.open(tmp_path, "some")
    assert (len(again), again.dim, again.is_exact) == (30, 4, True)
    assert (again.search(table(5, 4), 7).rows == index.search(table(5, 4), 7).rows).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(1, 70), st.integers(1, 40))
def test_ties_go_by_row_however_many_there_are(repeated: list[int], k: int, queries: int) -> None:
    vectors, asked = table(4, 5)[repeated], table(queries, 5, seed=1)
    answer = ItemIndex.exact(vectors).search(asked, k)
    scores = (vectors[None] * asked[:, None]).sum(axis=2)
    expected = np.lexsort((np.broadcast_to(np.arange(len(vectors)), scores.shape), -scores), axis=1)[:, :k]
    assert (answer.rows == expected).all()


def test_a_batch_equals_one_by_one() -> None:
    index, asked = ItemIndex.exact(table(500, 7)), table(40, 7, seed=1)
    together = index.search(asked, 9)
    for row in range(len(asked)):
        alone = index.search(asked[row : row + 1], 9)
        assert (alone.rows[0] == together.rows[row]).all() and (alone.scores[0] == together.scores[row]).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(1, 70))
def test_near_a_row_ties_go_by_row_too(repeated: list[int], k: int) -> None:
    vectors = unit_rows(table(4, 5)[repeated])
    index = ItemIndex.exact(vectors)
    for row in (0, len(vectors) // 2, len(vectors) - 1):
        found = index.search(vectors[row : row + 1], k + 1)
        expected = [own for own in found.rows[0].tolist() if own != row][:k]
        assert [own for _, own in index.near(row, k)] == expected
