"""Files of users and histories that cannot be used are refused in the user's words, and nothing is written."""

import re
from pathlib import Path

import polars as pl
import pytest

from recsys.errors import DataError
from tests.offline.asked import Asked


def refused(asked: Asked, directory: Path, match: str, **keys: object) -> None:
    with pytest.raises(DataError, match=match) as caught:
        asked.ask(directory / "out", **keys)
    assert caught.value.exit_code == 2
    assert not (directory / "out").exists()


def test_a_missing_file(texts: Asked, tmp_path: Path) -> None:
    refused(texts, tmp_path, r"no file at .*none\.csv: check recommend\.users and", users=tmp_path / "none.csv")


def test_another_format(texts: Asked, tmp_path: Path) -> None:
    (tmp_path / "users.xlsx").write_bytes(b"")
    refused(texts, tmp_path, r"expected a Parquet or CSV file .* got '\.xlsx'", users=tmp_path / "users.xlsx")


@pytest.mark.parametrize(("name", "data"), [("a.parquet", b"no"), ("a.csv", b"user_id\n\xff\xfe\n"), ("b.csv", b"")])
def test_an_unreadable_file(texts: Asked, tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    refused(texts, tmp_path, f"{name} cannot be read as ", users=tmp_path / name)


def test_a_missing_column_offers_the_nearest(texts: Asked, tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("userid,age\nu010,3\n")
    match = r"users\.csv has no column 'user_id', but 'userid': name yours in recommend\.user_column"
    refused(texts, tmp_path, match, users=tmp_path / "users.csv")


def test_a_file_without_users(texts: Asked, tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("user_id\n")
    refused(texts, tmp_path, r"users\.csv has no users: give at least one", users=tmp_path / "users.csv")


def test_rows_without_ids(texts: Asked, tmp_path: Path) -> None:
    path = tmp_path / "histories.csv"
    path.write_text("user_id,item_id\nu010,i010\n,i020\n")
    refused(texts, tmp_path, "1 rows have no user: fill column 'user_id'", users=path)
    refused(texts, tmp_path, "1 rows have no user: fill column 'user_id'", histories=path)
    path.write_text("user_id,item_id\nu010,i010\nu010,\n")
    refused(texts, tmp_path, "1 clicks have no item: leave those clicks out", histories=path)


def test_ids_of_another_type(numbers: Asked, texts: Asked, tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_text("user_id,item_id\n10,20\nten,twenty\n")
    match = (
        "ids in column '{}' must be Int64 like those of the log, found '{}' .String.: give ids in the type of the log"
    )
    refused(numbers, tmp_path, match.format("user_id", "ten"), users=path)
    path.write_text("user_id,item_id\n10,20\n20,twenty\n")
    refused(numbers, tmp_path, match.format("item_id", "twenty"), histories=path)
    pl.DataFrame({"user_id": [10], "item_id": [20]}).write_parquet(tmp_path / "users.parquet")
    match = r"ids in column '{}' must be String like those of the log, found {} \(Int64\)"
    refused(texts, tmp_path, match.format("user_id", 10), users=tmp_path / "users.parquet")
    refused(texts, tmp_path, match.format("item_id", 20), histories=tmp_path / "users.parquet")


@pytest.mark.parametrize("text", ["01", "+2", "-0", "1e1", "010"])
def test_an_integer_has_one_way_to_be_written(numbers: Asked, tmp_path: Path, text: str) -> None:
    path = tmp_path / "users.csv"
    path.write_text(f"user_id,item_id\n10,20\n{text},{text}\n")
    match = rf"ids in column 'user_id' must be Int64 like those of the log, found '{re.escape(text)}' \(String\)"
    refused(numbers, tmp_path, match, users=path)
    path.write_text(f"user_id,item_id\n10,20\n10,{text}\n")
    refused(numbers, tmp_path, match.replace("user_id", "item_id"), histories=path)


def test_a_user_too_large_for_the_log(numbers: Asked, tmp_path: Path) -> None:
    path = tmp_path / "users.parquet"
    pl.DataFrame({"user_id": pl.Series([1, 2**63], dtype=pl.UInt64)}).write_parquet(path)
    refused(numbers, tmp_path, r"must be Int64 .* found 9223372036854775808 \(UInt64\)", users=path)


def test_a_user_with_two_lists(texts: Asked, tmp_path: Path) -> None:
    path = tmp_path / "histories.parquet"
    pl.DataFrame({"user_id": ["a", "a"], "item_id": [["i010"], ["i020"]]}).write_parquet(path)
    refused(texts, tmp_path, "user 'a' has more than one row: give one row, with one list, a user", histories=path)
