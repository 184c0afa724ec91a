"""From a log to a dataset: what is in it, what the report says, and that it is the same whatever the log's form."""

import itertools
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recsys.data.config import DataConfig
from recsys.data.dataset import open_dataset, read_manifest
from recsys.data.prepare import fingerprint_inputs
from recsys.data.report import DataReport
from recsys.errors import BundleError, DataError

HEADER = "user_id,item_id,timestamp,rating\n"
START = 1_700_000_000


def history(dataset, user):
    """A user's item ids, in order."""
    (index,) = dataset.users.indices_of([user])
    start, stop = dataset.histories.offsets[index : index + 2]
    return dataset.items.ids_of(dataset.histories.items[start:stop])


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def log(seed=0, num_users=40, num_items=30):
    """A log in no order, times unique; ids are integers here."""
    random = np.random.default_rng(seed)
    rows = num_users * 12
    return pl.DataFrame(
        {
            "user_id": random.integers(0, num_users, rows) * 7 - 70,
            "item_id": random.integers(0, num_items, rows) + 2**40,
            "timestamp": START + random.permutation(rows) * 100,
        }
    )


def test_histories_are_sorted_and_ids_come_back(made, write):
    text = HEADER + "b,y,3,5\na,z,9,5\nb,x,1,5\na,y,9,5\nb,z,2,5\na,x,1,5\na,x,0,5\n"
    dataset, report = made(write(text))
    assert history(dataset, "a") == ["x", "x", "z", "y"]  # y and z are tied: their order is that of the input
    assert history(dataset, "b") == ["x", "z", "y"]
    assert list(dataset.users) == ["a", "b"]
    assert list(dataset.items) == ["x", "y", "z"]
    assert report.ties == 1
    assert dataset.histories.lengths.tolist() == [0, 4, 3]
    assert dataset.candidates.tolist() == [False, True, True, True]
    assert dataset.trained_items.tolist() == [False, True, False, False]
    assert dataset.known_items.tolist() == [False, True, True, True]
    assert dataset.training_counts().tolist() == [0, 3, 0, 0]
    assert report == DataReport.model_validate_json((dataset.directory / "data_report.json").read_bytes())


def test_the_report_adds_up_whatever_happens_to_a_row(made, write):
    text = HEADER + "".join(f"u{user},i{item},{item},5\n" for user in range(9) for item in range(9 - user % 2))
    text += "u0,i0,0,5\nu0,i0,0,4\nu1,i1,1,5\n"  # duplicates
    text += "u0,i0,99,1\n,i0,99,\n"  # left out, the second for want of a rating
    text += "u0,i0\nu0,i0,soon,5\n,i0,7,5\nu0,,7,5\nu0,i0,,5\nu\0,i0,7,5\n"  # rejected
    text += "rare,i0,5,5\nrare,i1,6,5\nu0,once,50,5\n"  # rare
    events = {
        "keep": [{"column": "rating", "value": 2}],
        "min_clicks": {"per_item": 2, "per_user": 3},
        "max_rejected_share": 0.2,
    }
    _, report = made(write(text), events=events)
    assert (report.filtered, report.duplicates, report.rare, report.kept) == (2, 3, 3, 77)
    assert report.rejected == {
        "2 fields where there should be 4": 1, "item_id is missing": 1, "timestamp is missing": 1,
        "timestamp is not a time": 1, "user_id holds a NUL or bytes of another encoding": 1, "user_id is missing": 1,
    }  # fmt: skip
    total = report.kept + report.filtered + sum(report.rejected.values()) + report.duplicates + report.rare
    assert total == report.rows_in == text.count("\n") - 1
    assert (report.users, report.items) == (9, 9)
    assert report.history_lengths["0%"] == 8
    assert report.history_lengths["100%"] == 9
    assert (report.times.first, report.times.last) == ("0", "8")
    assert (report.validation_users, report.test_users, report.training_clicks) == (9, 9, 77 - 18)


def test_the_report_as_rows_to_print(made, write):
    table = write("item_id,title\nx,Ex\n", "items.csv")
    text = HEADER + "".join(f"a,{item},{time},1\n" for time, item in enumerate("xyzxy", START)) + ",x,1,1\na,x,1,0"
    events = {"time_kind": "calendar", "max_rejected_share": 0.5, "keep": [{"column": "rating", "value": 1}]}
    split = {"kind": "leave_last_out"}
    dataset, report = made(write(text), events=events, items={"path": table, "title": "title"}, split=split)
    rows = dict(report.rows())
    assert rows["rows in"] == "7"
    assert rows["  rejected: user_id is missing"] == "1"
    assert rows["  left out by data.events.keep"] == "1"
    assert rows["clicks kept"] == "5"
    assert rows["users"] == "1 (String)"
    assert rows["times"] == "2023-11-14T22:13:20+00:00 to 2023-11-14T22:13:24+00:00"
    assert rows["items in the item table"] == "1 of 3"
    assert rows["training clicks"] == "3 on 3 items"
    assert "its last row may be cut off" in rows["warning"]
    assert "  exact duplicates" not in rows
    assert dataset.titles.of(1) == "Ex"


def test_rejected_rows_are_kept_in_the_words_of_the_log(made, write):
    good = "".join(f"u{n % 2},i{n % 3},{n}\n" for n in range(9))
    path = write("user_id,item_id,timestamp\n" + good + ",x,1\nu,i,soon\n" + "u,i\n")
    dataset, _ = made(path, events={"max_rejected_share": 0.5})
    rejected = pl.read_parquet(dataset.directory / "rejected.parquet")
    assert rejected.rows() == [
        (str(path), 10, "user_id is missing", None, "x", "1", None),
        (str(path), 11, "timestamp is not a time", "u", "i", "soon", None),
        (str(path), 12, "2 fields where there should be 3", None, None, None, "u,i"),
    ]


def test_untrained_items_are_no_candidates_by_time(made, write):
    text = "user_id,item_id,timestamp\n" + "".join(f"u{n % 4},i{n // 10},{START + n}\n" for n in range(100))
    dataset, report = made(write(text), events={"time_kind": "calendar"})
    assert dataset.manifest.split == "by_time"
    assert report.training_clicks == 81
    assert dataset.trained_items.tolist() == [False] + [True] * 9 + [False]
    assert np.array_equal(dataset.candidates, dataset.trained_items)
    assert np.array_equal(dataset.known_items, dataset.trained_items)
    assert dataset.skips_untrained
    training = dataset.histories.times[dataset.split.in_training(dataset.histories)]
    assert training.max() < dataset.histories.times[dataset.split.test(dataset.histories).positions].min()


@pytest.mark.parametrize(
    "values, wanted", [(["test", "train"], ["test"]), ([True, False], [True]), ([1, 0], [1]), ([2.0, 1.0], [2])]
)
@pytest.mark.parametrize("name", ["log.csv", "log.parquet"])
def test_by_column(made, write, values, wanted, name):
    users = [f"u{n:02}" for n in range(20) for _ in range(3)]
    part = [values[0] if n >= 15 else values[1] for n in range(20) for _ in range(3)]
    frame = pl.DataFrame({"user_id": users, "item_id": ["a", "b", "c"] * 20, "timestamp": range(60), "part": part})
    split = {"kind": "by_column", "column": "part", "test_values": wanted, "validation_share": 0.2}
    dataset, report = made(write(frame.sample(fraction=1.0, shuffle=True, seed=1), name), split=split)
    assert (report.test_users, report.validation_users, report.training_clicks) == (5, 3, 36)
    assert dataset.split.test(dataset.histories).users.tolist() == [16, 17, 18, 19, 20]


def test_by_column_survives_rows_that_leave(made, write):
    rows = [f"u{n},i{m},{m},{'test' if n > 5 else 'train'}" for n, m in itertools.product(range(8), range(4))]
    rows = ["u7,,9,train", "u7,i1,1,test", *rows, "u1,i0,0,train", "u7,once,8,test"]
    split = {"kind": "by_column", "column": "part", "test_values": ["test"]}
    events = {"min_clicks": {"per_item": 2}, "max_rejected_share": 0.5}
    dataset, report = made(write("user_id,item_id,timestamp,part\n" + "\n".join(rows)), events=events, split=split)
    assert (report.kept, report.duplicates, report.rare, report.test_users) == (32, 2, 1, 2)
    assert history(dataset, "u7") == ["i0", "i1", "i2", "i3"]


def parts_of(frame, directory, write_one, suffix):
    directory.mkdir()
    for number, part in enumerate(frame.iter_slices(-(-frame.height // 3))):
        write_one(part, directory / f"part{number}.{suffix}")
    return directory


FORMS = {
    "csv": pl.DataFrame.write_csv,
    "parquet": pl.DataFrame.write_parquet,
    "ndjson": pl.DataFrame.write_ndjson,
}


@pytest.mark.parametrize("ids", ["integers", "wide integers", "text"])
@pytest.mark.parametrize("split", ["by_time", "leave_last_out"])
def test_shuffled_split_in_three_and_in_any_format_it_is_the_same_dataset(made, tmp_path, ids, split):
    frame = log()
    if ids == "text":
        frame = frame.with_columns(item_id=pl.format("é\"{}', 😀", "item_id"), user_id=pl.format("0{}", "user_id"))
    if ids == "wide integers":
        frame = frame.with_columns(item_id=pl.col("item_id").cast(pl.UInt64) + 2**63 - 2**40 - 15)
    config = {"events": {"time_kind": "calendar"}, "split": {"kind": split}}
    expected = None
    for number, (suffix, write_one) in enumerate(FORMS.items()):
        shuffled = frame.sample(fraction=1.0, shuffle=True, seed=number)
        write_one(shuffled, tmp_path / f"log.{suffix}")
        for path in (tmp_path / f"log.{suffix}", parts_of(shuffled, tmp_path / suffix, write_one, suffix)):
            dataset, _ = made(path, f"dataset-{suffix}-{path.is_dir()}", **config)
            expected = expected or contents(dataset.directory)
            assert contents(dataset.directory) == expected


def test_widths_of_integers_do_not_change_the_dataset(made, write):
    frame = log().with_columns(pl.col("item_id") - 2**40, pl.col("user_id") + 70)
    one, _ = made(write(frame, "a.parquet"), "one")
    other, _ = made(write(frame.cast({"user_id": pl.UInt32, "item_id": pl.Int8}), "b.parquet"), "other")
    assert contents(one.directory) == contents(other.directory)


def test_what_prepare_would_read_has_a_fingerprint(write, tmp_path):
    path, items = write(log(), "log.parquet"), write("item_id,title\n1,x\n", "items.csv")
    config = DataConfig.model_validate({"events": {"path": path}, "items": {"path": items}})
    before = fingerprint_inputs(config)
    shutil.copy(path, tmp_path / "copy.parquet")
    copied = config.events.model_copy(update={"path": Path(tmp_path / "copy.parquet")})
    assert fingerprint_inputs(config.model_copy(update={"events": copied})) == before
    assert fingerprint_inputs(config.model_copy(update={"items": None})) != before
    items.write_text("item_id,title\n1,y\n")
    assert fingerprint_inputs(config) != before
    path.unlink()
    with pytest.raises(DataError, match=r"data\.events\.path: there is no file"):
        fingerprint_inputs(config)


def test_a_dataset_is_the_same_wherever_its_log_lay(made, write):
    text = HEADER + "".join(f"u{n % 4},i{n % 7},{n},1\n" for n in range(200)) + ",x,1,1\n" + "u0,i0,9"
    (one, _), (other, _) = (made(write(text, f"{name}/clicks.csv"), name) for name in ("here", "there"))
    assert one.manifest.files["rejected.parquet"] != other.manifest.files["rejected.parquet"], "it names the log"
    assert one.fingerprint == other.fingerprint


def test_damage_to_any_file_of_a_dataset_is_found(made, write, tmp_path):
    dataset, _ = made(write(log(), "log.parquet"))
    for path in sorted(dataset.directory.iterdir()):
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(
            BundleError, match=rf"{path.name} is damaged: .*; run `recsys prepare` again after deleting"
        ):
            open_dataset(dataset.directory)
        path.unlink()
        with pytest.raises(
            (BundleError, DataError), match=rf"{path.name} is damaged: it is missing|no prepared dataset"
        ):
            open_dataset(dataset.directory)
        path.write_bytes(data)
    open_dataset(dataset.directory)
    with pytest.raises(DataError, match=r"no prepared dataset at .*nowhere: run `recsys prepare` first"):
        read_manifest(tmp_path / "nowhere")
