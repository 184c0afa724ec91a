"""Titles and features of the catalogue's items, and ids of another type."""

import numpy as np
import polars as pl
import pytest

from recsys.data.feature_table import Features
from recsys.data.features import read_item_table
from recsys.data.features_config import ItemTableConfig
from recsys.data.titles import Titles
from recsys.errors import DataError

CATALOGUE = pl.Series("item_id", [3, 5, 8, 9])


@pytest.fixture
def table(write):
    """A function from contents to what the item table says of the catalogue."""

    def table(contents, name="items.csv", catalogue=CATALOGUE, **options):
        path = write(contents, name)
        return read_item_table(ItemTableConfig.model_validate({"path": path} | options), catalogue)

    return table


def told(feature):
    """Labels of each item, padding first."""
    labels = ["", *feature.labels]
    bounds = zip(feature.offsets[:-1], feature.offsets[1:], strict=True)
    return [[labels[value] for value in feature.values[start:stop]] for start, stop in bounds]


def test_titles_follow_the_catalogue_and_not_the_table(table):
    found = table("title,item_id\nEight,8\nThree,3\nÜber,5\nOther,7\n", title="title")
    assert [found.titles.of(index) for index in range(5)] == [None, "Three", "Über", "Eight", None]
    assert (found.rows, found.matched, found.warnings) == (4, 3, ())


def test_single_and_multi_valued_features(table, tmp_path):
    contents = "item_id,genres,year\n8,b|a|b,1999\n3,,\n5,c,2001\n7,z,1900\n"
    features = [{"column": "genres", "separator": "|"}, {"column": "year"}]
    found = table(contents, features=features).features
    found.save(tmp_path)
    for one in (found, Features.open(tmp_path)):
        genres, year = one
        assert (genres.name, genres.num_values, year.num_values) == ("genres", 4, 3)
        assert told(genres) == [[], [], ["c"], ["a", "b"], []]
        assert told(year) == [[], [], ["2001"], ["1999"], []]


def test_a_feature_that_is_no_input_is_kept_from_the_model(table, tmp_path):
    features = [{"column": "year"}, {"column": "genre", "is_input": False}]
    found = table("item_id,genre,year\n8,b,1999\n3,a,2001\n", features=features).features
    found.save(tmp_path)
    for one in (found, Features.open(tmp_path)):
        assert [feature.name for feature in one] == ["year", "genre"]
        assert [feature.name for feature in one.inputs] == ["year"]


def test_what_is_no_number_is_no_value(table):
    frame = pl.DataFrame({"item_id": [9, 8, 5, 3], "price": [1.5, float("nan"), float("inf"), None]})
    (price,) = table(frame, "items.parquet", features=[{"column": "price"}]).features
    assert told(price) == [[], [], [], [], ["1.5"]]


@pytest.mark.parametrize("separator", [None, "|"])
@pytest.mark.parametrize("values", [[[2, 1, 2], [], None, [1]], [["b", "a"], [None], [""], ["a"]]])
def test_lists_are_multi_valued(table, values, separator):
    frame = pl.DataFrame({"item_id": [9, 8, 5, 3], "tags": values})
    (tags,) = table(frame, "items.parquet", features=[{"column": "tags", "separator": separator}]).features
    first, second = tags.labels
    assert told(tags) == [[], [first], [], [], [first, second]]


def test_features_that_say_nothing(table, tmp_path):
    found = table(pl.DataFrame({"item_id": [3], "x": [None]}), "items.parquet", features=[{"column": "x"}])
    found.features.save(tmp_path)
    (feature,) = Features.open(tmp_path)
    assert (feature.num_values, told(feature)) == (1, [[]] * 5)


def test_no_item_table(tmp_path):
    Features().save(tmp_path)
    assert len(Features.open(tmp_path)) == 0
    assert Titles.open(tmp_path) is None


def test_of_an_ids_rows_the_first_counts(table):
    found = table("item_id,title\n3,first\n3,second\n,nobody\n", title="title")
    assert (found.titles.of(1), found.matched, found.rows) == ("first", 1, 3)


def test_columns_may_have_any_name(table):
    names = {"item": "index", "title": "value", "features": [{"column": "label"}]}
    found = table("index,value,label\n5,Five,x\n", **names)
    assert found.titles.of(2) == "Five"
    assert told(next(iter(found.features)))[2] == ["x"]


@pytest.mark.parametrize("kind", [pl.UInt8, pl.Int16, pl.UInt64, pl.Int128])
def test_widths_of_integers_are_no_other_type(table, kind):
    frame = pl.DataFrame({"item_id": [8, 200], "title": ["Eight", "-"]}).cast({"item_id": kind})
    assert table(frame, "items.parquet", title="title").titles.of(3) == "Eight"
    wide = pl.Series("item_id", [8, 2**63], dtype=pl.UInt64)
    assert table(frame, "items.parquet", catalogue=wide, title="title").titles.of(1) == "Eight"


def test_categories_are_text(table):
    frame = pl.DataFrame({"item_id": ["b"], "kind": ["x"]}).cast(pl.Categorical)
    found = table(frame, "items.parquet", catalogue=pl.Series(["a", "b"]), features=[{"column": "kind"}])
    assert told(next(iter(found.features))) == [[], [], ["x"]]


@pytest.mark.parametrize(
    "ids, name, catalogue, message",
    [
        (["3", "5"], "items.parquet", CATALOGUE, "are String, and the log's item ids are Int64"),
        ([3, 5], "items.parquet", pl.Series(["3", "5"]), "are Int64, and the log's item ids are String"),
        ([3.0], "items.parquet", CATALOGUE, "are Float64, and the log's item ids are Int64"),
        (["3", "05"], "items.csv", CATALOGUE, "are text such as '05', and the log's item ids are Int64"),
        (["B07X"], "items.csv", CATALOGUE, "are text such as 'B07X', and the log's item ids are Int64"),
        (["3"], "items.csv", pl.Series([1.5]), "are String, and the log's item ids are Float64"),
    ],
)
def test_ids_of_another_type_are_refused(table, ids, name, catalogue, message):
    with pytest.raises(
        DataError, match=rf"data\.items: the ids in 'item_id' of {name} {message}; write both in one type"
    ):
        table(pl.DataFrame({"item_id": ids}), name, catalogue=catalogue)


def test_text_ids_of_a_text_file_match_exactly(table):
    found = table("item_id,title\n1,one\n01,zero one\n", catalogue=pl.Series(["01", "1", "2"]), title="title")
    assert [found.titles.of(index) for index in (1, 2, 3)] == ["zero one", "one", None]


@pytest.mark.parametrize("value", [{"a": 1}, [[1]], b"x", [b"x"]])
def test_features_of_other_types_are_refused(table, value):
    frame = pl.DataFrame({"item_id": [3], "x": [value]})
    with pytest.raises(DataError, match=r"the column 'x' is .*; a categorical feature is text, a number, or a list"):
        table(frame, "items.parquet", features=[{"column": "x"}])


def test_broken_rows_and_a_table_of_other_items_are_told(table):
    found = table("item_id,title\n100,x\n3\n5\n", title="title")
    assert found.titles.of(1) is None
    left_out, none = found.warnings
    assert "2 rows of the item table are left out, such as row 2 of " in left_out
    assert left_out.endswith("items.csv: 1 fields where there should be 2")
    assert none.startswith("no item of the log is in the item table ")


def test_missing_files_and_columns_of_the_table_are_named(table, tmp_path):
    with pytest.raises(DataError, match=r"data\.items\.path: there is no file .*other\.csv"):
        table("item_id\n", path=tmp_path / "other.csv")
    with pytest.raises(DataError, match=r"items\.csv has no column 'title'; did you mean 'titles'\?"):
        table("item_id,titles\n", title="title")


def test_ids_are_looked_up_whatever_the_order(table):
    random = np.random.default_rng(0)
    catalogue = pl.Series(np.sort(random.choice(10_000, 500, replace=False)))
    ids = random.permutation(10_000)
    frame = pl.DataFrame({"item_id": ids, "title": [f"t{number}" for number in ids]})
    titles = table(frame, "items.parquet", catalogue=catalogue, title="title").titles
    assert [titles.of(index + 1) for index in range(500)] == [f"t{number}" for number in catalogue]
