"""The offline lists are the recommender's own answers, for each user once, in the types of the log."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recsys.errors import DataError
from recsys.offline.requests import requests_of
from recsys.recommend_config import RecommendConfig
from tests.bundle.made import NUM_ITEMS, NUM_USERS, made_dataset
from tests.offline.asked import Asked, by_user, lists_in


def history_of(asked: Asked, index: int) -> list[object]:
    histories, items = asked.dataset.histories, asked.dataset.items
    return items.ids_of(histories.items[histories.offsets[index] : histories.offsets[index + 1]])


@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("ids", ["texts", "numbers"])
def test_everybody_gets_the_recommenders_answer(
    ids: str, exclude_seen: bool, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    asked: Asked = request.getfixturevalue(ids)
    asked.ask(tmp_path, exclude_seen=exclude_seen)
    found = by_user(tmp_path)
    assert sorted(found) == list(asked.dataset.users)
    for index, user in enumerate(asked.dataset.users, start=1):
        history = history_of(asked, index)
        expected = asked.recommender.recommend(history, k=5, exclude_seen=exclude_seen)
        assert [item for item, _, _ in found[user]] == [one.item for one in expected]
        assert [score for _, score, _ in found[user]] == pytest.approx([one.score for one in expected], abs=1e-5)
        assert {source for _, _, source in found[user]} == {expected[0].source}
        if exclude_seen and expected[0].source == "retriever":
            assert not {item for item, _, _ in found[user]} & set(history)


@pytest.mark.parametrize(("ids", "kind"), [("texts", pl.String), ("numbers", pl.Int64)])
def test_columns_have_the_types_of_the_log(
    ids: str, kind: pl.DataType, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    request.getfixturevalue(ids).ask(tmp_path)
    expected = {"user_id": kind, "item_id": kind, "rank": pl.Int32, "score": pl.Float32, "source": pl.String}
    assert [pl.read_parquet_schema(path) for path in tmp_path.glob("*.parquet")] == [expected] * 8
    assert sorted(path.name for path in tmp_path.glob("*.parquet"))[-1] == "part-00007.parquet"


def test_the_result_counts(numbers: Asked, tmp_path: Path) -> None:
    result = numbers.ask(tmp_path, k=NUM_ITEMS)
    lists = lists_in(tmp_path)
    unknown = [len(numbers.recommender.unknown(history_of(numbers, index))) for index in range(1, NUM_USERS + 1)]
    assert result.num_users == result.num_users_now == NUM_USERS
    assert result.num_unknown_clicks == sum(unknown) > 0
    assert result.num_short == NUM_USERS, "nobody gets as many as there are items"
    popular = lists.filter(source="popular")["user_id"].n_unique()
    assert result.num_popular == popular
    assert result.directory == tmp_path
    assert result.users_per_second == pytest.approx(NUM_USERS / result.seconds)


def test_lists_do_not_depend_on_the_size_of_parts(
    texts: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts.ask(tmp_path / "small", part_size=3)
    monkeypatch.setattr("recsys.offline.recommend.NUM_AT_ONCE", 4)
    texts.ask(tmp_path / "large", part_size=1000)
    small, large = lists_in(tmp_path / "small"), lists_in(tmp_path / "large")
    assert small.drop("score").equals(large.drop("score"))
    np.testing.assert_allclose(small["score"], large["score"], atol=1e-5)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_file_of_users_asks_for_them_alone_and_strangers_get_the_popular_list(
    numbers: Asked, tmp_path: Path, suffix: str
) -> None:
    wanted = pl.DataFrame({"who": [30, 77, 10, 30], "note": ["a", "b", "c", "d"]})
    path = write(wanted, tmp_path / f"users{suffix}")
    result = numbers.ask(tmp_path / "some", users=path, user_column="who")
    numbers.ask(tmp_path / "all")
    found, everybody = by_user(tmp_path / "some"), by_user(tmp_path / "all")
    assert list(found) == [30, 77, 10]
    for user in (30, 10):
        assert [one[0] for one in found[user]] == [one[0] for one in everybody[user]]
    assert [item for item, _, _ in found[77]] == [one.item for one in numbers.recommender.recommend([], k=5)]
    assert {source for _, _, source in found[77]} == {"popular"}
    assert result.num_popular == sum(found[user][0][2] == "popular" for user in found)


HISTORIES: dict[str, list[object]] = {"b": [50, 10, 50, 999], "a": [], "c": [380, 12345], "d": [70]}


@pytest.mark.parametrize("form", ["rows.parquet", "lists.parquet", "arrays", "small.parquet"])
def test_histories_of_a_file_get_the_recommenders_answer(numbers: Asked, tmp_path: Path, form: str) -> None:
    histories = dict(HISTORIES)
    lists = pl.DataFrame({"user_id": list(histories), "item_id": list(histories.values())}, strict=False)
    if form == "arrays":
        histories = {"b": [50, 10], "d": [70, 20]}
        lists = pl.DataFrame(
            {"user_id": ["b", "d"], "item_id": pl.Series(list(histories.values()), dtype=pl.Array(int, 2))}
        )
    if form in {"rows.parquet", "small.parquet"}:
        del histories["a"]
        lists = lists.filter(pl.col("item_id").list.len() > 0).explode("item_id")
    if form == "small.parquet":
        lists = lists.with_columns(pl.col("item_id").cast(pl.UInt16))
    result = numbers.ask(tmp_path / "out", histories=write(lists, tmp_path / "histories.parquet"))
    found = by_user(tmp_path / "out")
    assert list(found) == list(histories)
    for user, history in histories.items():
        expected = numbers.recommender.recommend(history, k=5)  # type: ignore[arg-type]
        assert [(item, source) for item, _, source in found[user]] == [(one.item, one.source) for one in expected]
        assert [score for _, score, _ in found[user]] == pytest.approx([one.score for one in expected], abs=1e-5)
    unknown = sum(len(numbers.recommender.unknown(history)) for history in histories.values())  # type: ignore[arg-type]
    assert result.num_unknown_clicks == unknown


def test_a_csv_of_histories_is_typed_as_the_log(numbers: Asked, texts: Asked, tmp_path: Path) -> None:
    path = tmp_path / "histories.csv"
    path.write_text("user_id,item_id\n7,10\n8,20\n7,50\n")
    numbers.ask(tmp_path / "numbers", histories=path)
    expected = numbers.recommender.recommend([10, 50], k=5)
    assert [one[0] for one in by_user(tmp_path / "numbers")[7]] == [one.item for one in expected]
    path.write_text("user_id,item_id\n007,i010\n7,i020\n")
    texts.ask(tmp_path / "texts", histories=path)
    assert list(by_user(tmp_path / "texts")) == ["007", "7"]


def test_a_bundle_of_other_items_is_refused(numbers: Asked, tmp_path: Path) -> None:
    other = made_dataset(tmp_path / "other")
    with pytest.raises(DataError, match=r"the bundle's 40 items are not those of .*other \(40\): recommend from the"):
        requests_of(RecommendConfig(), other, numbers.recommender.bundle.items)


def write(frame: pl.DataFrame, path: Path) -> Path:
    frame.write_parquet(path) if path.suffix == ".parquet" else frame.write_csv(path)
    return path
