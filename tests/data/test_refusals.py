"""A log that cannot be used: one clear message, and nothing is written but the report."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from recsys.data.config import DataConfig
from recsys.errors import DataError

HEADER = "user_id,item_id,timestamp\n"
START = 1_700_000_000
GOOD = "".join(f"u{n % 5},i{n % 7},{n + START}\n" for n in range(100))
CALENDAR = {"time_kind": "calendar"}


@pytest.fixture
def refused(made, write, tmp_path):
    """Prepares a log that is to be refused with the message; gives the report back, or None."""

    def refused(contents, message, name="clicks.csv", reported=True, **data):
        path = write(contents, name)
        shutil.rmtree(tmp_path / "dataset.refused", ignore_errors=True)
        before = set(tmp_path.iterdir())
        with pytest.raises(DataError, match=message) as raised:
            made(path, **data)
        written = {new.name for new in set(tmp_path.iterdir()) - before}
        assert written == ({"dataset.refused"} if reported else set())
        if not reported:
            return None
        directory = tmp_path / "dataset.refused"
        assert str(directory) in str(raised.value)
        assert {file.name for file in directory.iterdir()} == {"data_report.json", "rejected.parquet"}
        return json.loads((directory / "data_report.json").read_bytes())

    return refused


def test_missing_file(made, write):
    path = write(HEADER + GOOD, "interactions.csv")
    with pytest.raises(DataError, match=r"data\.events\.path: there is no file .*; did you mean .*interactions\.csv\?"):
        made(path.with_name("interaction.csv"))


def test_missing_column(refused):
    message = (
        r"clicks\.csv has no column 'item_id'; did you mean 'itemid'\? its columns are 'user_id', 'itemid', 'timestamp'"
    )
    refused(HEADER.replace("item_id", "itemid") + GOOD, message, reported=False)
    frame = pl.DataFrame({"user": [1], "item_id": [1], "timestamp": [1]})
    refused(frame, "has no column 'user_id'; did you mean 'user'", "log.parquet", reported=False)
    keep = {"keep": [{"column": "ratings", "value": 4}]}
    refused(HEADER + GOOD, "has no column 'ratings'; its columns are", reported=False, events=keep)
    split = {"kind": "by_column", "column": "time", "test_values": ["x"]}
    refused(HEADER + GOOD, r"has no column 'time'; did you mean 'timestamp'\?", reported=False, split=split)


@pytest.mark.parametrize(
    "contents, name, message",
    [
        (
            "PK\3\4",
            "log.xlsx",
            r"log\.xlsx: the format cannot be told from the name .*; set format to csv, parquet or ndjson",
        ),
        ("PAR1 but no more", "log.parquet", r"log\.parquet cannot be read as Parquet: "),
        (b"\x1f\x8bno gzip", "log.csv.gz", r"log\.csv\.gz cannot be read: "),
        (np.random.default_rng(0).bytes(5000), "log.csv", r"log\.csv has no column 'user_id'"),
    ],
)
def test_unreadable_format(refused, contents, name, message):
    refused(contents, message, name, reported=False)


@pytest.mark.parametrize("factor, unit", [(1e3, "ms"), (1e6, "us"), (1e9, "ns"), (1 / 60, "min"), (1 / 86400, "d")])
def test_wrong_time_unit(refused, factor, unit):
    rows = "".join(f"u{n % 5},i{n % 7},{int((n * 86400 + START) * factor)}\n" for n in range(100))
    hint = rf"data\.events\.time_unit is s, and with {unit} most times would lie in 1990-2100"
    message = rf"100 of 100 rows \(100\.0%\) .* {hint}"
    report = refused(HEADER + rows, message, events=CALENDAR)
    assert report["rejected"] == {"timestamp is outside 1990-2100": 100}
    assert (report["rows_in"], report["kept"], report["times"]) == (100, 0, None)


def test_times_that_are_no_calendar(refused):
    rows = "".join(f"u{n % 5},i{n % 7},{n}\n" for n in range(100))
    message = r"set data\.events\.time_unit, or data\.events\.time_kind to relative or order if there is no calendar"
    refused(HEADER + rows, message, events=CALENDAR)


@pytest.mark.parametrize("kind", ["relative", "order"])
def test_by_time_without_a_calendar(kind):
    events = {"path": "log.csv", "time_kind": kind}
    assert DataConfig.model_validate({"events": events}).split.kind == "leave_last_out"
    with pytest.raises(
        ValidationError, match=f"by_time needs times of a calendar, and .*time_kind is {kind}; use leave_last_out"
    ):
        DataConfig.model_validate({"events": events, "split": {"kind": "by_time"}})


def test_the_default_split_follows_the_calendar():
    assert DataConfig.model_validate({"events": {"path": "x"}}).split.kind == "by_time"
    shares = DataConfig.model_validate({"events": {"path": "x"}, "split": {"test_share": 0.3}}).split
    assert (shares.kind, shares.test_share) == ("by_time", 0.3)


@pytest.mark.parametrize("contents", ["", "\n\n", HEADER])
@pytest.mark.parametrize("kind", ["order", "calendar"])
def test_empty_log(refused, contents, kind):
    refused(contents, r"clicks\.csv has no click to learn from: 0 rows", events={"time_kind": kind})


def test_empty_log_in_other_formats(refused):
    frame = pl.DataFrame(schema={"user_id": pl.Int64, "item_id": pl.String, "timestamp": pl.Datetime})
    refused(frame, "has no click to learn from: 0 rows", "log.parquet")
    refused("\n", "has no click to learn from: 0 rows", "log.ndjson")


def test_a_log_of_which_nothing_counts(refused):
    keep = {"keep": [{"column": "timestamp", "value": 2 * START}]}
    report = refused(
        HEADER + GOOD, r"no click to learn from: 100 rows, 100 of them left out by data\.events\.keep", events=keep
    )
    assert report["filtered"] == 100


def test_min_clicks_that_leave_nothing(refused):
    few = {"min_clicks": {"per_user": 1000}}
    assert (
        refused(HEADER + GOOD, r"no click is left: data\.events\.min_clicks asks for more", events=few)["rare"] == 100
    )


def test_every_user_too_short(refused):
    rows = "".join(f"u{n},i,{n}\n" for n in range(50))
    refused(
        HEADER + rows,
        r"every user is too short: the longest of 50 histories has 1 click, .*check data\.events\.columns\.user",
    )
    rows = "".join(f"u{n // 2},i{n},{n}\n" for n in range(50))
    refused(HEADER + rows, r"the split leave_last_out leaves nothing in the test part: .*\(the longest history has 2\)")


def test_three_clicks_leave_one_to_train(refused):
    rows = "".join(f"u{n // 3},i{n},{n}\n" for n in range(60))
    refused(
        HEADER + rows, r"leaves nothing in the training part: no user has enough clicks there .*; give a longer log"
    )


def test_one_moment_for_all_clicks_cannot_be_split_by_time(refused):
    rows = "".join(f"u{n % 5},i{n},{START}\n" for n in range(50))
    refused(HEADER + rows, "the split by_time leaves nothing in the training part", events=CALENDAR)


def test_one_item_is_nothing_to_rank(refused):
    rows = "".join(f"u{n % 5},i,{START + n}\n" for n in range(50))
    refused(HEADER + rows, r"a ranking needs two items or more, and there is 1 to rank under the split leave_last_out")
    late = "".join(f"u{n % 5},i{int(n > 45)},{START + n}\n" for n in range(50))
    refused(HEADER + late, r"there is 1 to rank under the split by_time: check data\.events", events=CALENDAR)


def test_item_table_of_another_type(refused, write):
    frame = pl.DataFrame({"item_id": [1, 2]})
    items = {"path": write(frame, "items.parquet")}
    message = (
        r"data\.items: the ids in 'item_id' of items\.parquet are Int64, and the log's item ids are String; write both"
    )
    refused(HEADER + GOOD, message, items=items)


def test_a_missing_item_table(refused, tmp_path):
    refused(HEADER + GOOD, r"data\.items\.path: there is no file .*none\.csv", items={"path": tmp_path / "none.csv"})


@pytest.mark.parametrize("share, is_fine", [(0.02, True), (0.019, False)])
def test_the_share_of_rejected_rows(made, refused, write, share, is_fine):
    text = HEADER + GOOD.replace(f"u0,i0,{START}\n", ",i,1\n").replace(f"u1,i1,{START + 1}\n", "u1,i1,now\n")
    events = {"max_rejected_share": share}
    if is_fine:
        assert sum(made(write(text), events=events)[1].rejected.values()) == 2
        return
    message = (
        r"2 of 100 rows \(2\.0%\) of .*clicks\.csv break a rule, more than data\.events\.max_rejected_share allows "
        r"\(1\.9%\): .*timestamp is not a time: 1.*Mend the log, or raise the share"
    )
    assert sum(refused(text, message, events=events)["rejected"].values()) == 2


def test_users_in_both_parts(refused):
    rows = "".join(
        f"{user},i{n},{n},{'test' if (user == 9) or (user == 3 and n > 5) else 'train'}\n"
        for user in range(10)
        for n in range(9)
    )
    split = {"kind": "by_column", "column": "part", "test_values": ["test"]}
    message = r"data\.split\.column 'part' must put whole users into train or test, and 1 users have .*, such as 3 "
    refused(HEADER.replace("p\n", "p,part\n") + rows, message, split=split)
    split["test_values"] = ["exam"]
    refused(
        HEADER.replace("p\n", "p,part\n") + rows,
        r"no click has one of data\.split\.test_values \['exam'\] in 'part'; found 'test', 'train'",
        split=split,
    )


def test_a_refusal_leaves_the_earlier_dataset_and_a_success_removes_the_report(made, write, tmp_path):
    dataset, _ = made(write(HEADER + GOOD))
    before = (dataset.directory / "dataset.json").read_bytes()
    with pytest.raises(DataError, match="no click to learn from"):
        made(write(HEADER))
    assert (dataset.directory / "dataset.json").read_bytes() == before
    assert (tmp_path / "dataset.refused").is_dir()
    made(write(HEADER + GOOD))
    assert not (tmp_path / "dataset.refused").exists()
