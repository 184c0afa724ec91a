"""One file, a directory, a glob; Parquet and NDJSON of every type; several files as one."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest

from recsys.data.events.config import EventsConfig
from recsys.data.events.files import find_files, format_of
from recsys.data.events.table import read_tables
from recsys.errors import DataError

WHOLE = [pl.Int8, pl.UInt8, pl.Int16, pl.UInt16, pl.Int32, pl.UInt32, pl.Int64, pl.UInt64, pl.Int128]


def ids_and_times(events):
    return events.user_ids.gather(events.users - 1).to_list(), events.times.tolist()


@pytest.mark.parametrize(
    "name", ["a.csv", "a.TSV", "a.txt.gz", "a.dat", "a.inter", "a.parquet", "a.jsonl", "a.ndjson.gz"]
)
def test_the_format_is_told_by_the_name(tmp_path, name):
    expected = {"j": "ndjson", "n": "ndjson", "p": "parquet"}.get(name[2].lower(), "csv")
    assert format_of(tmp_path / name, "auto") == expected
    assert format_of(tmp_path / name, "parquet") == "parquet"


def test_a_name_that_tells_no_format_is_refused(tmp_path):
    with pytest.raises(
        DataError, match=r"log\.xlsx: the format cannot be told .* set format to csv, parquet or ndjson"
    ):
        format_of(tmp_path / "log.xlsx", "auto")


def test_files_of_a_directory_and_of_a_glob_come_by_name(tmp_path):
    for name in ("b.csv", "a.csv", ".a.csv", "_c.csv", "README.md", "part-0"):
        (tmp_path / name).touch()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "d.csv").touch()
    names = [path.name for path in find_files(tmp_path, "key")]
    assert names == ["a.csv", "b.csv"]
    assert [path.name for path in find_files(tmp_path / "*" / "*.csv", "key")] == ["d.csv"]
    assert [path.name for path in find_files(tmp_path / "part-*", "key")] == ["part-0"]
    assert len(find_files(tmp_path / "**" / "*.csv", "key")) == 4


def test_a_name_with_the_marks_of_a_glob_is_a_name_first(tmp_path):
    (tmp_path / "log[1].csv").touch()
    assert find_files(tmp_path / "log[1].csv", "key") == [tmp_path / "log[1].csv"]


def test_missing_files_are_told_with_near_names(tmp_path):
    (tmp_path / "interactions.csv").touch()
    with pytest.raises(
        DataError, match=r"data\.events\.path: there is no file .*interaction\.csv; did you mean .*interactions\.csv\?"
    ):
        find_files(tmp_path / "interaction.csv", "data.events.path")
    with pytest.raises(DataError, match=r"nor a directory .*nowhere"):
        find_files(tmp_path / "nowhere" / "log.csv", "key")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty holds no file that ends in \.csv.*a glob such as"):
        find_files(tmp_path / "empty", "key")


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("time_kind", ["order", "relative", "calendar"])
def test_integers_of_every_width(read, kind, time_kind):
    log = pl.DataFrame({"user_id": [7, 3, 120], "item_id": [1, 1, 2], "timestamp": [100, 101, 102]}).cast(kind)
    log = log.cast({"timestamp": pl.Int32 if kind.is_signed_integer() and kind != pl.Int128 else kind})
    days = log.with_columns(pl.col("timestamp").cast(pl.Int64) * 200) if time_kind == "calendar" else log
    events = read(days, "log.parquet", time_kind=time_kind, time_unit="d")
    step = {"order": 1, "relative": 86_400_000_000, "calendar": 200 * 86_400_000_000}[time_kind]
    assert ids_and_times(events) == ([7, 3, 120], [100 * step, 101 * step, 102 * step])
    assert events.user_ids.dtype == pl.Int64


def test_text_categories_and_decimals_in_parquet(read):
    log = pl.DataFrame({"user_id": ["b", "a", None], "item_id": ["01", "1", "1"], "timestamp": [1.5, 0.5, 2.0]})
    for users in (pl.String, pl.Categorical, pl.Enum(["b", "a"])):
        events = read(log.cast({"user_id": users, "timestamp": pl.Float32}), "log.parquet", max_rejected_share=1)
        assert ids_and_times(events) == (["b", "a"], [2, 1])
        assert events.item_ids.to_list() == ["01", "1"]
    prices = log.with_columns(timestamp=pl.Series([Decimal(2), Decimal(1), Decimal(3)]))
    assert ids_and_times(read(prices, "log.parquet"))[1] == [2, 1]


def test_numbers_in_text_columns_of_parquet_stay_text(read):
    log = pl.DataFrame({"user_id": ["2", "10"], "item_id": ["1", "1"], "timestamp": [1, 2]})
    assert read(log, "log.parquet").user_ids.to_list() == ["10", "2"]
    assert read(log, "log.csv").user_ids.to_list() == [2, 10]


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Kolkata"])
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_dates_and_datetimes(read, zone, unit):
    moments = pl.Series([datetime(2024, 1, 2, 3, 4, 5, 678000)]).dt.replace_time_zone("UTC").dt.cast_time_unit(unit)
    moments = moments.dt.convert_time_zone(zone) if zone else moments.dt.replace_time_zone(None)
    expected = datetime(2024, 1, 2, 3, 4, 5, 678000, tzinfo=UTC).timestamp() * 1e6
    log = pl.DataFrame({"user_id": [1], "item_id": [1], "timestamp": moments})
    assert read(log, "log.parquet", time_kind="calendar").times.tolist() == [expected]
    days = log.with_columns(timestamp=pl.Series([date(2024, 1, 2)]))
    assert read(days, "log.parquet", time_kind="calendar").times.tolist() == [
        datetime(2024, 1, 2, tzinfo=UTC).timestamp() * 1e6
    ]


@pytest.mark.parametrize("column", ["user_id", "timestamp"])
@pytest.mark.parametrize("values", [[[1]], [b"x"], [True]])
def test_types_that_are_neither_ids_nor_times_are_refused(read, column, values):
    log = pl.DataFrame({"user_id": [1], "item_id": [1], "timestamp": [1]}).with_columns(pl.Series(column, values))
    with pytest.raises(DataError, match=f"the column '{column}' is .*; (ids are text or numbers|times are numbers)"):
        read(log, "log.parquet")


def test_what_is_no_parquet_is_refused(write):
    config = EventsConfig(path=write("user_id,item_id", "log.parquet"))
    with pytest.raises(DataError, match=r"log\.parquet cannot be read as Parquet: "):
        read_tables(config, ["user_id"], "key")


def line(**values):
    return json.dumps(values) + "\n"


def test_json_lines(read):
    text = "\ufeff" + line(user_id="u", item_id=2**63, timestamp=1, other=[1, {"a": 2}])
    text += "\n" + '{"user_id": "v\u2028w", "item_id": 5, "timestamp": 2.5}\r\n'
    events = read(text, "log.ndjson")
    assert ids_and_times(events) == (["u", "v\u2028w"], [1, 2])
    assert (events.item_ids.dtype, events.item_ids.to_list()) == (pl.UInt64, [5, 2**63])


@pytest.mark.parametrize(
    "bad", ['{"user_id": "u"', "[1]", "7", "x", '{"user_id": "\\ud800", "item_id": 1, "timestamp": 1}', "[" * 100_000]
)
def test_lines_that_are_no_objects_are_set_aside(read, bad):
    good = line(user_id="u", item_id=1, timestamp=1)
    events = read(good + "\n" + bad + "\n" + good, "log.ndjson")
    assert events.rejected.select("row", "reason", "text").rows() == [(3, "not a JSON object", bad[:1000])]
    assert (len(events), events.rows_in) == (2, 3)


def test_missing_keys_null_nan_and_bad_bytes_in_json(read):
    text = (
        line(item_id=1, timestamp=1)
        + line(user_id=None, item_id=1, timestamp=1)
        + line(user_id="u", item_id=1, timestamp=float("nan"))
    )
    text += line(user_id="v", item_id=1, timestamp=1.5)
    events = read(text.encode() + b'{"user_id": "\xff", "item_id": 1, "timestamp": 1.5}\n', "log.ndjson")
    assert events.rejected.select("row", "reason").rows() == [
        (1, "user_id is missing"), (2, "user_id is missing"), (3, "timestamp is not a time"),
        (5, "user_id holds a NUL or bytes of another encoding"),
    ]  # fmt: skip


def test_json_columns_of_several_types_or_of_no_type_are_refused(read):
    with pytest.raises(
        DataError, match=r"the values of 'user_id' are of several types \(int and str\); write them in one"
    ):
        read(line(user_id="1", item_id=1, timestamp=1) + line(user_id=1, item_id=1, timestamp=1), "log.ndjson")
    for low, high in ((-1, 2**63), (0, 2**64)):
        with pytest.raises(DataError, match=f"'user_id' run from {low} to {high}, .* write them as text"):
            read("".join(line(user_id=user, item_id=1, timestamp=1) for user in (low, high)), "log.ndjson")
    with pytest.raises(DataError, match="has no column 'user_id'; did you mean 'userid'"):
        read(line(userid="1", item_id=1, timestamp=1), "log.ndjson")


def test_integers_and_decimals_mix_in_json(read):
    text = "".join(line(user_id="u", item_id=1, timestamp=time) for time in (1, 2.5, 10**400, 7))
    events = read(text, "log.ndjson", time_kind="relative")
    assert events.times.tolist() == [1_000_000, 2_500_000, 7_000_000]
    assert events.rejected["reason"].to_list() == ["timestamp is not a time"]


def test_files_of_several_widths_are_one_log(write, read):
    small = pl.DataFrame({"user_id": [1, 2], "item_id": ["a", "b"], "timestamp": [1, 2]})
    write(small.cast({"user_id": pl.UInt8}), "parts/1.parquet")
    write(small.with_columns(user_id=pl.Series([2**63, 9], dtype=pl.UInt64)), "parts/2.parquet")
    write("", "parts/3.csv")
    write(small.with_columns(item_id=pl.lit(None), timestamp=pl.lit(None)), "parts/4.parquet")
    events = read(small, "parts/5.parquet", path=write(small, "parts/5.parquet").parent)
    assert events.user_ids.to_list() == [1, 2, 9, 2**63]
    assert events.rejected.select(pl.col("file").str.slice(-9), "row", "reason").rows() == [
        ("4.parquet", 1, "item_id is missing"), ("4.parquet", 2, "item_id is missing"),
    ]  # fmt: skip
    write(small.cast({"user_id": pl.String}), "parts/6.parquet")
    with pytest.raises(DataError, match=r"the column 'user_id' is UInt8 in .*1\.parquet and String in .*6\.parquet"):
        read("", path=write(small, "parts/5.parquet").parent)
