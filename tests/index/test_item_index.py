"""The index is argsort of inner products, and refuses everything that FAISS would let through."""

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.index.item_index import ItemIndex


def table(rows: int, dim: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, dim)).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(1, 60), dim=st.integers(1, 9), queries=st.integers(1, 30), k=st.integers(1, 80))
def test_search_is_argsort(rows: int, dim: int, queries: int, k: int) -> None:
    vectors, asked = table(rows, dim), table(queries, dim, seed=1)
    answer = ItemIndex.build(vectors).search(asked, k)
    exact = asked.astype(np.float64) @ vectors.T.astype(np.float64)
    assert answer.rows.shape == (queries, min(k, rows))
    assert answer.found.all()
    expected = -np.sort(-exact, axis=1)[:, : min(k, rows)]
    np.testing.assert_allclose(np.take_along_axis(exact, answer.rows, axis=1), expected, atol=1e-5)
    np.testing.assert_allclose(answer.scores, expected, atol=1e-5)
    assert all(len(set(row)) == len(row) for row in answer.rows.tolist())


def test_more_than_there_are_is_all_there_are() -> None:
    answer = ItemIndex.build(table(3, 2)).search(table(1, 2), 10**9)
    assert sorted(answer.rows[0].tolist()) == [0, 1, 2]


def test_what_faiss_cannot_rank_is_marked_and_never_minus_one() -> None:
    vectors = np.full((2, 2), 3e38, dtype=np.float32)
    answer = ItemIndex.build(vectors).search(np.array([[3e38, -3e38]], dtype=np.float32), 2)  # inf - inf
    assert not answer.found.any()
    assert (answer.rows == 0).all() and (answer.scores == -np.inf).all()


@pytest.mark.parametrize("k", [0, -1, True, 1.0, None])
def test_k_is_refused(k: object) -> None:
    with pytest.raises(ValueError, match="k must be an integer of at least 1, got"):
        ItemIndex.build(table(3, 2)).search(table(1, 2), k)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "bad",
    [table(3, 2).astype(np.float64), table(3, 2)[0], table(3, 2).tolist(), np.zeros((1, 1, 1), np.float32)],
)
def test_shape_and_type_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="vectors must be a two-dimensional float32 array, got"):
        ItemIndex.build(bad)
    with pytest.raises(ValueError, match="queries must be a two-dimensional float32 array, got"):
        ItemIndex.build(table(3, 2)).search(bad, 1)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(number: float) -> None:
    bad = table(3, 2)
    bad[1, 1] = number
    with pytest.raises(ValueError, match="vectors must be finite, got 1 NaN or infinite"):
        ItemIndex.build(bad)
    with pytest.raises(ValueError, match="queries must be finite, got 1 NaN or infinite"):
        ItemIndex.build(table(3, 2)).search(bad, 1)


@pytest.mark.parametrize("shape", [(0, 2), (2, 0), (0, 0)])
def test_an_empty_index_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least one row and one column"):
        ItemIndex.build(np.zeros(shape, np.float32))


@pytest.mark.parametrize("width", [1, 3])
def test_a_wrong_width_is_refused(width: int) -> None:
    with pytest.raises(ValueError, match=rf"queries must be 2 wide like the index, got shape \(1, {width}\)"):
        ItemIndex.build(table(3, 2)).search(table(1, width), 1)


def test_no_queries_no_answers() -> None:
    assert ItemIndex.build(table(3, 2)).search(table(0, 2), 2).rows.shape == (0, 2)


def test_views_that_are_not_contiguous() -> None:
    vectors, asked = table(8, 6), table(4, 6, seed=1)
    answer = ItemIndex.build(vectors[::2, ::2]).search(asked[::2, ::2], 4)
    again = ItemIndex.build(vectors[::2, ::2].copy()).search(asked[::2, ::2].copy(), 4)
    assert (answer.rows == again.rows).all()


def test_bytes_and_back() -> None:
    index = ItemIndex.build(table(30, 4))
    data = index.to_bytes()
    again = ItemIndex.from_bytes(data)
    assert (len(again), again.dim) == (30, 4)
    assert (again.search(table(5, 4), 7).rows == index.search(table(5, 4), 7).rows).all()
    assert again.to_bytes() == data


def test_bytes_that_are_no_such_index_are_refused() -> None:
    data = ItemIndex.build(table(30, 4)).to_bytes()
    for length in (0, 1, 20, len(data) - 1):
        with pytest.raises(ValueError, match="not an index that FAISS can read"):
            ItemIndex.from_bytes(data[:length])
    distance = faiss.IndexFlatL2(2)
    distance.add(table(3, 2))
    for other in (distance, faiss.IndexFlatIP(2)):
        with pytest.raises(ValueError, match="expected a filled flat inner-product index, got"):
            ItemIndex.from_bytes(faiss.serialize_index(other).tobytes())
