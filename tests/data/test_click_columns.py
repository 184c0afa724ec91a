"""Labels and features of clicks follow their clicks, through sorting, duplicates and filters."""

import numpy as np
import polars as pl
import pytest

from recsys.data.config import DataConfig
from recsys.data.dataset import open_dataset
from recsys.data.prepare import prepare
from recsys.errors import DataError

LOG = pl.DataFrame(
    {
        "user_id": ["b", "a", "b", "a", "b", "a", "b", "a"],
        "item_id": [4, 1, 3, 2, 2, 3, 1, 4],
        "timestamp": [40, 10, 30, 20, 20, 30, 10, 40],
        "liked": [True, False, True, False, False, True, False, True],
        "device": ["tv", "web", None, "app", "web", "app", "tv", "web"],
        "shown": [[1], [2, 1], [], None, [3], [1], [2], [1, 2, 3]],
        "price": [1.0, 2.0, float("nan"), 4.0, 5.0, 6.0, 7.0, None],
    }
)
USERS = pl.DataFrame({"user_id": ["b", "c", "a", "b"], "age": [30, 40, 50, 99], "langs": ["en|fr", "de", "", "xx"]})


@pytest.fixture
def prepared(tmp_path):
    def build(log=LOG, users=USERS, **events):
        log.write_parquet(tmp_path / "log.parquet")
        users.write_parquet(tmp_path / "users.parquet")
        config = DataConfig.model_validate(
            {
                "events": {
                    "path": tmp_path / "log.parquet",
                    "time_kind": "relative",
                    "columns": {"label": "liked"},
                    "features": [
                        {"column": "device", "is_context": True}, {"column": "liked"}, {"column": "shown"},
                        {"column": "price", "buckets": 2},
                    ],
                    **events,
                },
                "users": {
                    "path": tmp_path / "users.parquet",
                    "features": [{"column": "age"}, {"column": "langs", "separator": "|"}],
                },
            }
        )  # fmt: skip
        report = prepare(config, tmp_path / "dataset", seed=0)
        return open_dataset(tmp_path / "dataset"), report

    return build


def told(feature):
    labels = ["", *feature.labels]
    return [[labels[value] for value in row if value] for row in feature.values]


def test_they_follow_their_clicks(prepared):
    dataset, _ = prepared()
    device, liked, shown, price = dataset.click_features
    assert dataset.items.ids_of(dataset.histories.items) == [1, 2, 3, 4, 1, 2, 3, 4]
    assert dataset.labels.tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
    assert told(device) == [["web"], ["app"], ["app"], ["web"], ["tv"], ["web"], [], ["tv"]]
    assert told(liked) == [["false"], ["false"], ["true"], ["true"]] * 2
    assert told(shown) == [["1", "2"], [], ["1"], ["1", "2", "3"], ["2"], ["3"], [], ["1"]]
    assert told(price) == [
        ["2.0 to 4.5"],
        ["2.0 to 4.5"],
        ["4.5 to 7.0"],
        [],
        ["4.5 to 7.0"],
        ["4.5 to 7.0"],
        [],
        ["2.0 to 4.5"],
    ]
    assert [feature.name for feature in dataset.click_features.context] == ["device"]


def test_a_condition_leaves_the_others_theirs(prepared):
    twice = pl.concat([LOG, LOG.with_columns(pl.col("timestamp") + 100)])
    dataset, _ = prepared(log=twice, keep=[{"column": "item_id", "operator": "!=", "value": 2}])
    assert dataset.labels.tolist() == [0, 1, 1] * 4
    assert told(next(iter(dataset.click_features)))[0] == ["web"]


def test_users_have_their_rows_and_the_first_of_two_counts(prepared):
    dataset, report = prepared()
    age, langs = dataset.user_features
    assert (list(age.labels), list(langs.labels)) == (["30", "50"], ["en", "fr"])
    assert np.diff(age.offsets).tolist() == [0, 1, 1]
    assert np.diff(langs.offsets).tolist() == [0, 0, 2]
    assert (report.users_in_table, report.user_table_rows) == (2, 4)
    assert "1 rows of the user table repeat an id; the first row of an id counts" in report.warnings
    assert ("users in the user table", "2 of 2") in report.rows()


def test_a_log_without_them_has_none(prepared):
    dataset, _ = prepared(columns={}, features=[])
    assert dataset.labels is None
    assert len(dataset.click_features) == 0


def test_user_ids_of_another_type_are_told(prepared):
    with pytest.raises(
        DataError, match=r"data.users: the ids in 'user_id' of users.parquet are Int64, and the log's user"
    ):
        prepared(users=pl.DataFrame({"user_id": [1], "age": [3], "langs": ["a"]}))


def test_what_is_no_number_has_no_bucket(prepared):
    log = LOG.with_columns(price=pl.Series(["1", "2", "x", "4", "5", "6", "7", ""]))
    with pytest.raises(
        DataError, match=r"data.events.features: 'price' is to be cut into buckets, and 'x' is no number"
    ):
        prepared(log=log)
