"""What a row is in a text with separators, and what is set aside, with its place and the reason."""

import csv
import gzip
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.data.events.lines import Lines
from recsys.data.events.separated import read_separated
from recsys.data.events.source import Source
from recsys.errors import ConfigError, DataError

COLUMNS = ["user_id", "item_id", "timestamp"]
HEADER = "user_id,item_id,timestamp\n"


@pytest.fixture
def rows(write):
    """A function from contents to (rows, broken rows as (row, reason), warnings)."""

    def rows(contents, separator=",", header=None, encoding="utf-8", columns=COLUMNS):
        source = Source(write(contents), encoding)
        table = read_separated(source, columns, separator=separator, header=header)
        return table.frame.rows(), table.broken.select("row", "reason").rows(), table.warnings

    return rows


@pytest.mark.parametrize("separator", [",", "\t", ";", "|", "::", "||", "¦", " "])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_any_separator_and_line_end(rows, separator, line_end):
    lines = [["user_id", "item_id", "timestamp"], ["u1", "i1", "5"], ["u2", "é", "6"]]
    text = "".join(separator.join(line) + line_end for line in lines)
    assert rows(text, separator) == ([("u1", "i1", "5"), ("u2", "é", "6")], [], ())


def test_old_line_ends(rows):
    assert rows("user_id,item_id,timestamp\ru,i,5\rv,j,6\r")[0] == [("u", "i", "5"), ("v", "j", "6")]


def test_encodings_and_byte_order_marks(rows):
    text = HEADER + "ü,ß,5\n"
    expected = [("ü", "ß", "5")]
    assert rows(text.encode("latin-1"), encoding="latin-1")[0] == expected
    assert rows(text.encode("utf-16"), encoding="utf-16")[0] == expected
    assert rows(text.encode("utf-8-sig"))[0] == expected
    assert rows(gzip.compress(text.encode()))[0] == expected


def test_unknown_encoding_and_broken_gzip_are_named(rows):
    with pytest.raises(ConfigError, match="encoding 'klingon' is not one that Python knows; try utf-8 or latin-1"):
        rows(HEADER, encoding="klingon")
    with pytest.raises(DataError, match=r"clicks\.csv cannot be read: "):
        rows(gzip.compress(HEADER.encode() * 99)[:-9])


def test_given_header_and_other_columns(rows):
    text = "5,x,u,i\n6,y,v,j\n"
    assert rows(text, header=("timestamp", "other", "user_id", "item_id"))[0] == [("u", "i", "5"), ("v", "j", "6")]


def test_blank_lines_are_no_rows(rows):
    text = "\n\r\n" + HEADER + "\nu,i,5\n\n\r\nv,j,6\n\n"
    assert rows(text) == ([("u", "i", "5"), ("v", "j", "6")], [], ())


def test_quoted_fields(rows):
    text = HEADER + '"u","a,b",5\nv,"say ""hi""",6\nw,"two\nlines",7\n"x","three\n\nlines, ""quoted""","8"\ny,j,9\n'
    assert rows(text) == (
        [
            ("u", "a,b", "5"), ("v", 'say "hi"', "6"), ("w", "two\nlines", "7"),
            ("x", 'three\n\nlines, "quoted"', "8"), ("y", "j", "9"),
        ], [], (),
    )  # fmt: skip


def test_empty_fields_are_missing_not_broken(rows):
    assert rows(HEADER + 'u,,\n,"",6\n')[:2] == ([("u", None, None), (None, "", "6")], [])


def test_short_and_long_rows_are_set_aside_with_their_numbers(rows):
    text = HEADER + "u,i,5\nu,i\n\nu,i,6,7\nu\nv,j,8\n"
    found, broken, _ = rows(text)
    assert found == [("u", "i", "5"), ("v", "j", "8")]
    assert broken == [(n, f"{k} fields where there should be 3") for n, k in [(2, 2), (4, 4), (5, 1)]]


def test_a_row_short_of_a_column_nobody_asked_for_is_broken_too(rows):
    header, line = "user_id,item_id,timestamp,price\n", "u,i,1700000000,3\n"
    found, broken, _ = rows(header + line + "u,i,17000\n" + line)
    assert len(found) == 2
    assert broken == [(2, "3 fields where there should be 4")]


def test_short_rows_between_long_separators(rows):
    found, broken, _ = rows('1::2::3\n1::2\n4::"5::6\n', "::", tuple(COLUMNS))
    assert found == [("1", "2", "3"), ("4", '"5', "6")]
    assert broken == [(2, "2 fields where there should be 3")]


@pytest.mark.parametrize("bad", ['u,"i,5', '"u,i,5', 'u,i,"5', 'u,"i"x,5', 'u,"i" ,5', '"u","i","5'])
@pytest.mark.parametrize("place", [0, 40, 99])
def test_malformed_quotes_cost_one_row_and_no_more(rows, bad, place):
    lines = [f"u{n},i,{n}" for n in range(100)]
    lines[place] = bad
    found, broken, _ = rows(HEADER + "\n".join(lines) + "\n")
    assert len(found) == 99
    assert [row for row, _ in broken] == [place + 1]


def test_two_malformed_quotes_do_not_swallow_what_is_between(rows):
    lines = [f'"u{n}",i,{n}' for n in range(100)]
    lines[20] = lines[60] = 'u,"i,5'
    found, broken, _ = rows(HEADER + "\n".join(lines) + "\n")
    assert len(found) == 98
    assert broken == [(21, "quotes that do not pair up"), (61, "quotes that do not pair up")]


def test_a_quote_within_a_field_is_a_character(rows):
    assert rows(HEADER + 'u,5" pipe,1\nv,j,2\n') == ([("u", '5" pipe', "1"), ("v", "j", "2")], [], ())


def test_a_row_after_a_broken_one_keeps_its_place(read):
    events = read(HEADER + 'u\nu,i,1\nu,"two\nlines",2\n,i,3\n' + "u,i,9\n" * 9)
    assert events.rejected.select("row", "reason", "text").rows() == [
        (5, "user_id is missing", None),
        (1, "1 fields where there should be 3", "u"),
    ]


def test_bad_bytes_and_nul_are_kept_for_the_rules_on_ids_to_find(rows):
    assert rows(HEADER.encode() + b"u\xff,i\0,5\n")[0] == [("u\N{REPLACEMENT CHARACTER}", "i\0", "5")]


def test_a_last_line_that_may_be_cut_is_told(rows):
    found, broken, (warning,) = rows(HEADER + "u,i,5\nv,j,6")
    assert (len(found), broken) == (2, [])
    assert "ends within a line: its last row may be cut off" in warning
    assert rows(HEADER + "u,i,5\nv,j")[1] == [(2, "2 fields where there should be 3")]


def test_an_empty_file_has_no_rows_and_is_told(rows):
    found, broken, (warning,) = rows("")
    assert (found, broken) == ([], [])
    assert warning.endswith("clicks.csv is empty")
    assert rows(HEADER) == ([], [], ())


def test_a_missing_column_is_named_with_the_nearest(rows):
    with pytest.raises(
        DataError, match="no column 'item_id'; did you mean 'itemid'\\? its columns are 'user', 'itemid'"
    ):
        rows("user,itemid\n1,2\n", columns=["item_id"])


def test_many_columns_are_not_all_listed(rows):
    with pytest.raises(DataError, match=r"'c19' and 30 more$"):
        rows(",".join(f"c{n}" for n in range(50)) + "\n")


def test_another_separator_is_proposed(rows):
    with pytest.raises(
        DataError, match=r"one column 'user_id;item_id;timestamp' where ',' separates; set separator to ';'"
    ):
        rows(HEADER.replace(",", ";"))


def test_a_column_named_twice_is_refused_only_where_it_is_meant(rows):
    with pytest.raises(DataError, match="has 2 columns 'item_id'; rename those that are not meant"):
        rows("user_id,item_id,item_id,timestamp\n1,2,3,4\n")
    assert rows("user_id,x,x,item_id,timestamp\n1,2,3,4,5\n")[0] == [("1", "4", "5")]


fields = st.text(st.sampled_from("ab,\"\n \x85 é'"), max_size=6)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=st.lists(st.tuples(fields, fields, fields), max_size=12))
def test_what_a_csv_writer_writes_is_read_back(rows, table):
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerows([COLUMNS, *table])
    expected = [tuple(field or None for field in row) for row in table]
    found, broken, _ = rows(file.getvalue())
    assert (found, broken) == (expected, [])


@given(st.text(st.sampled_from('a,"\n\r'), min_size=1, max_size=60), st.integers(1, 8))
def test_the_arithmetic_on_lines_is_that_of_a_walk_over_characters(text, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recsys.data.events.lines.BLOCK", block)
        lines = Lines.of(text.encode(), ",", quoted=True)
    expected = [line + "\n" for line in text.split("\n")]
    expected[-1] = expected[-1][:-1]
    expected = [line for line in expected if line]
    assert len(lines) == len(expected)
    for number, line in enumerate(expected):
        assert lines.text(number, number) == line.rstrip("\r\n")
        assert lines.quotes[number] == line.count('"')
        assert lines.fields[number] == 1 + sum(part.count(",") for part in line.split('"')[::2])
        assert lines.blank[number] == (line in {"\n", "\r\n", "\r"})
