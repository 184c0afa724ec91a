"""What every kind of index promises: its recall, filters that never shorten a list, changes, and exact scores."""

from pathlib import Path

import faiss
import numpy as np
import pytest

from recsys.index.build import build_index
from recsys.index.config import IvfIndex, PqIndex, SqIndex
from recsys.index.item_index import ItemIndex
from recsys.index.selection import Selection
from recsys.index.structures import Structure
from tests.index.made import APPROXIMATE, DIM, KINDS, clustered, made, recall

VECTORS = clustered(4_000)
QUERIES = clustered(200, seed=1)
FLOOR = 0.98


@pytest.fixture(scope="module")
def indices() -> dict[str, ItemIndex]:
    return {kind: made(kind, VECTORS) for kind in KINDS}


@pytest.fixture(params=list(KINDS))
def index(request: pytest.FixtureRequest, indices: dict[str, ItemIndex]) -> ItemIndex:
    return indices[request.param]


def test_it_finds_what_it_states_of_queries_it_has_never_seen(index: ItemIndex) -> None:
    exact = index.search_with(None, QUERIES, 10)
    found = index.search(QUERIES, 10)
    assert recall(found.rows, exact.rows) >= FLOOR
    assert abs(recall(found.rows, exact.rows) - index.statement.recall_10) < 0.02
    assert index.statement.recall_10 >= FLOOR
    assert found.found.all()


def test_scores_are_those_of_the_vectors_themselves(index: ItemIndex) -> None:
    found = index.search(QUERIES, 10)
    expected = (VECTORS[found.rows] * QUERIES[:, None]).sum(axis=2)
    assert (found.scores == expected).all()
    assert (np.diff(found.scores, axis=1) <= 0).all()


@pytest.mark.parametrize("share", [None, 0.3, 0.9, 0.99])
def test_a_batch_equals_one_by_one(index: ItemIndex, share: float | None) -> None:
    chosen = np.flatnonzero(np.random.default_rng(5).random(len(VECTORS)) < (share or 0))
    selection = None if share is None else Selection.only(chosen)
    together = index.search(QUERIES[:80], 10, selection=selection)
    alone = [index.search(query, 10, selection=selection) for query in np.split(QUERIES[:80], 80)]
    assert (np.concatenate([one.rows for one in alone]) == together.rows).all()


def test_near_its_own_rows_is_what_a_search_for_them_finds(index: ItemIndex) -> None:
    for row in range(0, len(VECTORS), 97):
        found = index.search(VECTORS[row : row + 1], 11)
        expected = [
            pair for pair in zip(found.scores[0].tolist(), found.rows[0].tolist(), strict=True) if pair[1] != row
        ]
        assert index.near(row, 10) == expected[:10]
    assert len(index.near(5, 10**6)) == len(VECTORS) - 1


@pytest.mark.parametrize("share", [0.002, 0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("is_allowed", [True, False])
def test_a_filter_never_shortens_a_list(index: ItemIndex, share: float, is_allowed: bool) -> None:
    chosen = np.flatnonzero(np.random.default_rng(3).random(len(VECTORS)) < share)
    selection = Selection(chosen, is_allowed)
    left = len(chosen) if is_allowed else len(VECTORS) - len(chosen)
    found = index.search(QUERIES, 10, selection=selection)
    assert found.rows.shape == (len(QUERIES), min(10, left))
    assert found.found.all()
    assert (np.isin(found.rows, chosen) == is_allowed).all()
    brute = QUERIES @ VECTORS.T
    brute[:, np.isin(np.arange(len(VECTORS)), chosen) != is_allowed] = -np.inf
    assert recall(found.rows, np.argsort(-brute, axis=1)[:, : found.rows.shape[1]]) >= FLOOR - 0.005


@pytest.mark.parametrize("num_near", [15, 60, 150])
def test_a_filter_that_takes_the_neighbourhood_away(index: ItemIndex, num_near: int) -> None:
    shares = []
    for query in np.split(QUERIES[:25], 25):
        others = Selection.without(index.search_with(None, query, num_near).rows[0])
        found = index.search(query, 10, selection=others)
        shares.append(recall(found.rows, index.search_with(None, query, 10, selection=others).rows))
    assert np.mean(shares) >= FLOOR - 0.01


def test_everything_filtered_out_is_an_empty_list(index: ItemIndex) -> None:
    for nothing in (Selection.only([]), Selection.without(np.arange(len(VECTORS)))):
        assert index.search(QUERIES[:3], 10, selection=nothing).rows.shape == (3, 0)
    assert index.search(QUERIES[:3], 10, selection=Selection.without([])).rows.shape == (3, 10)


@pytest.mark.parametrize("rows", [[-1], [len(VECTORS)], [5, 2**62]])
def test_a_selection_names_rows_that_there_are(index: ItemIndex, rows: list[int]) -> None:
    with pytest.raises(ValueError, match=r"a selection names rows from 0 to 3,999, got"):
        index.search(QUERIES, 3, selection=Selection.only(rows))
    with pytest.raises(ValueError, match=r"a selection names rows from 0 to 3,999, got"):
        made("flat", VECTORS).retire(np.array(rows))


@pytest.mark.parametrize("rows", [[[0]], [1.7], np.ones(5, np.bool_), "12", [None]])
def test_a_selection_names_rows_by_whole_numbers(rows: object) -> None:
    with pytest.raises(ValueError, match="a selection names rows by whole numbers, one after the other, got"):
        Selection.only(rows)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"a selection is Selection\.only\(rows\) or Selection\.without\(rows\), got"):
        made("flat", VECTORS).search(QUERIES, 3, selection=rows)  # type: ignore[arg-type]


def test_more_than_there_are_is_all_there_are(index: ItemIndex) -> None:
    found = index.search(QUERIES[:2], 10**6)
    assert np.sort(found.rows[0]).tolist() == list(range(len(VECTORS)))


def test_saved_and_opened_it_answers_alike(index: ItemIndex, tmp_path: Path) -> None:
    index.save(tmp_path, "some")
    again = ItemIndex.open(tmp_path, "some")
    assert again.statement == index.statement
    assert (again.search(QUERIES, 10).rows == index.search(QUERIES, 10).rows).all()
    again.retire(again.search(QUERIES, 1).rows[0])
    assert again.search(QUERIES, 10).rows[0, 0] != index.search(QUERIES, 10).rows[0, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_unlike_any_that_it_was_trained_with_are_found(kind: str) -> None:
    index, new = made(kind, VECTORS[:2_000]), clustered(1_500, seed=8, centres=3) * np.float32(-1)
    index.add(new)
    asked = clustered(100, seed=9, centres=3) * np.float32(-1)
    exact = index.search_with(None, asked, 10)
    assert recall(index.search(asked, 10).rows, exact.rows) >= FLOOR
    some = Selection.only(np.arange(1_500, 3_000))
    assert (
        recall(index.search(asked, 10, selection=some).rows, index.search_with(None, asked, 10, selection=some).rows)
        >= FLOOR
    )


def test_faiss_may_read_large_files_afterwards(tmp_path: Path, indices: dict[str, ItemIndex]) -> None:
    indices["ivf"].save(tmp_path, "some")
    large = faiss.IndexFlatIP(DIM)
    large.add(np.zeros((20_000, DIM), np.float32))
    faiss.write_index(large, str(tmp_path / "large"))
    ItemIndex.open(tmp_path, "some")
    assert faiss.read_index(str(tmp_path / "large")).ntotal == 20_000


@pytest.mark.parametrize("kind", KINDS)
def test_added_and_retired_it_answers_like_one_that_was_rebuilt(kind: str) -> None:
    index, new = made(kind, VECTORS), clustered(500, seed=7)
    rows = index.add(new)
    assert rows.tolist() == list(range(len(VECTORS), len(VECTORS) + 500))
    gone = np.random.default_rng(4).choice(len(VECTORS), 400, replace=False)
    index.retire(gone)
    index.retire(gone[:5])  # once is enough
    left = np.setdiff1d(np.arange(len(VECTORS) + 500), gone)
    assert len(index) == len(left)
    exact = ItemIndex.exact(np.concatenate([VECTORS, new])[left]).search(QUERIES, 10)
    found, thorough = index.search(QUERIES, 10), index.search_with(None, QUERIES, 10)
    assert (thorough.rows == left[exact.rows]).all()
    assert recall(found.rows, thorough.rows) >= FLOOR - 0.01
    assert not np.isin(found.rows, gone).any()
    some = Selection.without(rows)
    assert not np.isin(index.search(QUERIES, 10, selection=some).rows, np.union1d(gone, rows)).any()
    with pytest.raises(ValueError, match="was changed is not what it states"):
        index.save(Path("nowhere"), "some")


def test_everything_retired_leaves_empty_lists() -> None:
    for kind in KINDS:
        index = made(kind, VECTORS[:1_200])
        index.retire(np.arange(1_200))
        assert len(index) == 0
        assert index.search(QUERIES[:2], 3).rows.shape == (2, 0)


def test_vectors_of_another_width_are_not_added(index: ItemIndex) -> None:
    with pytest.raises(ValueError, match=rf"vectors must be {DIM} wide like the index"):
        index.add(np.ones((1, DIM + 1), np.float32))


@pytest.mark.parametrize("kind", APPROXIMATE)
def test_files_that_do_not_belong_together_are_refused(
    kind: str, tmp_path: Path, indices: dict[str, ItemIndex]
) -> None:
    indices[kind].save(tmp_path, "some")
    made(kind, VECTORS[:1_500]).save(tmp_path, "other")
    (tmp_path / "other.faiss").replace(tmp_path / "some.faiss")
    with pytest.raises(ValueError, match=r"some\.faiss is not what was saved"):
        ItemIndex.open(tmp_path, "some")
    (tmp_path / "some.faiss").unlink()
    with pytest.raises(ValueError, match="an index is a statement, vectors and what FAISS saved"):
        ItemIndex.open(tmp_path, "some")


def test_a_file_that_is_no_such_index_is_refused(tmp_path: Path, indices: dict[str, ItemIndex]) -> None:
    file = tmp_path / "some.faiss"
    assert indices["ivf"].structure is not None
    indices["ivf"].structure.save(file)
    data = file.read_bytes()
    for length in (0, 1, 20, len(data) // 2):
        file.write_bytes(data[:length])
        with pytest.raises(ValueError, match="not an index that FAISS can read"):
            Structure.open(file)
    flat, distance = faiss.IndexFlatIP(2), faiss.index_factory(2, "IVF1,Flat", faiss.METRIC_L2)
    for other in (flat, distance):
        faiss.write_index(other, str(file))
        with pytest.raises(ValueError, match="expected lists or a graph for inner products"):
            Structure.open(file)


@pytest.mark.parametrize(
    "config", [IvfIndex(num_lists=7, visited=2), SqIndex(visited=3), PqIndex(visited=64, fetched=8)]
)
def test_what_is_asked_for_is_what_is_taken(config: IvfIndex) -> None:
    told: list[str] = []
    statement = build_index(VECTORS, config, tell=told.append).statement
    assert statement.effort is not None
    assert statement.effort.visited == config.visited
    if statement.recall_10 < FLOOR:
        assert "index.min_recall is 0.98" in told[-1]


@pytest.mark.parametrize("dim", [1, 3, 50])
def test_any_width(dim: int) -> None:
    vectors = clustered(1_100, dim=dim)
    for kind in KINDS:
        index = made(kind, vectors)
        found = index.search(vectors[:20], 5)
        exact = index.search_with(None, vectors[:20], 5)
        np.testing.assert_allclose(found.scores[:, 0], exact.scores[:, 0], atol=0.05 if dim == 1 else 0.02)
