"""The real logs, as the literature cuts them."""

import itertools

import numpy as np
import polars as pl
import pytest


@pytest.fixture
def ml_1m(made, shared_data):
    """ML-1M for leave-one-out, with the titles and genres of its own item table."""

    def ml_1m(path=shared_data / "ml-1m" / "interactions.parquet", name="ml-1m", **events):
        return made(
            path,
            name,
            events={
                "time_kind": "calendar",
                "columns": {"item": "movie_id"},
                "min_clicks": {"per_item": 5, "until_stable": False},
                **events,
            },
            items={
                "path": shared_data / "ml-1m" / "movies.dat",
                "separator": "::",
                "encoding": "latin-1",
                "header": ["movie_id", "title", "genres"],
                "item": "movie_id",
                "title": "title",
                "features": [{"column": "genres", "separator": "|"}],
            },
            split={"kind": "leave_last_out"},
        )

    return ml_1m


@pytest.mark.slow
def test_ml_1m_has_the_counts_and_the_order_of_the_literature(ml_1m, shared_data):
    dataset, report = ml_1m()
    assert (report.users, report.items, report.kept) == (6040, 3416, 999_611)
    assert (report.rows_in, report.rare, report.duplicates, report.rejected) == (1_000_209, 598, 0, {})
    assert (report.test_users, report.training_clicks) == (6040, 999_611 - 2 * 6040)
    raw = pl.read_parquet(shared_data / "ml-1m" / "interactions.parquet").with_row_index("row")
    raw = raw.filter(pl.len().over("movie_id") >= 5).sort("user_id", "timestamp", "row")
    assert np.array_equal(dataset.histories.items, dataset.items.indices_of(raw["movie_id"].to_list()))
    assert np.array_equal(dataset.histories.times, raw["timestamp"].to_numpy() * 1_000_000)
    assert np.array_equal(dataset.histories.lengths[1:], raw.group_by("user_id").len().sort("user_id")["len"])


def test_ml_1m_has_titles_and_genres(ml_1m):
    dataset, report = ml_1m()
    assert report.items_in_table == 3416
    assert report.item_table_rows == 3883
    assert report.warnings == ()
    (toy_story, amelie) = dataset.items.indices_of([1, 1176])
    assert dataset.titles.of(toy_story) == "Toy Story (1995)"
    assert dataset.titles.of(amelie) == "Double Life of Veronique, The (La Double Vie de Véronique) (1991)"
    (genres,) = dataset.features
    assert (genres.name, genres.num_values) == ("genres", 19)
    labels = ["", *genres.labels]
    values = genres.values[genres.offsets[toy_story] : genres.offsets[toy_story + 1]]
    assert [labels[value] for value in values] == ["Animation", "Children's", "Comedy"]


def test_ml_1m_is_the_same_from_csv_and_only_what_is_liked_counts(ml_1m, shared_data, tmp_path):
    frame = pl.read_parquet(shared_data / "ml-1m" / "interactions.parquet")
    frame.write_csv(tmp_path / "ml-1m.csv")
    liked = {"keep": [{"column": "liked", "operator": "==", "value": True}]}
    one, report = ml_1m(**liked)
    other, _ = ml_1m(tmp_path / "ml-1m.csv", "from-csv", **liked)
    assert report.filtered == (~frame["liked"]).sum()
    for path in one.directory.iterdir():
        assert path.read_bytes() == (other.directory / path.name).read_bytes(), path.name


def test_ml_1m_by_time(made, shared_data):
    events = {"time_kind": "calendar", "columns": {"item": "movie_id"}}
    dataset, report = made(shared_data / "ml-1m" / "interactions.parquet", events=events)
    assert dataset.manifest.split == "by_time"
    assert report.training_clicks == pytest.approx(0.81 * report.kept, rel=0.001)
    trains = dataset.split.in_training(dataset.histories)
    held_out = dataset.split.validation(dataset.histories)
    assert dataset.histories.times[trains].max() < dataset.histories.times[held_out.positions].min()


def test_beauty_is_relative(made, shared_data):
    events = {"time_kind": "relative", "columns": {"time": "seconds_since_first"}}
    items = {"path": shared_data / "beauty" / "items.parquet", "features": [{"column": "attributes"}]}
    dataset, report = made(shared_data / "beauty" / "interactions.csv", events=events, items=items)
    assert (report.users, report.items, report.kept, report.test_users) == (22_363, 12_101, 198_502, 22_363)
    assert (dataset.manifest.split, report.user_id_type) == ("leave_last_out", "Int64")
    lines = (shared_data / "beauty" / "interactions.csv").read_text().splitlines()[1:]
    rows = [tuple(map(int, line.split(","))) for line in lines]
    rows.sort(key=lambda row: (row[0], row[2]))
    assert dataset.items.ids_of(dataset.histories.items) == [item for _, item, _ in rows]
    raw = dict(pl.read_parquet(shared_data / "beauty" / "items.parquet").rows())
    (attributes,) = dataset.features
    labels = ["", *attributes.labels]
    for index, (start, stop) in enumerate(itertools.pairwise(attributes.offsets[1:100]), start=1):
        found = {labels[value] for value in attributes.values[start:stop]}
        assert found == set(map(str, raw[dataset.items.ids_of([index])[0]]))


def test_diginetica_is_split_by_its_authors(made, shared_data):
    events = {"columns": {"user": "session_id", "time": "position"}}
    split = {"kind": "by_column", "column": "part", "test_values": ["test"]}
    dataset, report = made(shared_data / "diginetica" / "clicks.parquet", events=events, split=split)
    raw = pl.read_parquet(shared_data / "diginetica" / "clicks.parquet")
    assert (report.users, report.items, report.kept + report.duplicates) == (129_882, 42_979, 696_857)
    sessions = raw.filter(pl.col("part") == "test")["session_id"].unique().sort()
    lengths = dataset.histories.lengths
    tested = dataset.users.indices_of(sessions.to_list())
    assert np.array_equal(dataset.split.test(dataset.histories).users, tested[lengths[tested] >= 2])
    assert report.validation_users == pytest.approx(0.1 * (129_882 - len(sessions)), rel=0.02)
    assert np.array_equal(dataset.candidates, dataset.trained_items)
