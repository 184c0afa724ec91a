"""Ids of any type come back exactly, in their type; a type never changes silently."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.data.events.ids import BAD_TEXT, code_ids, id_faults, vocabulary_of
from recsys.data.texts import Texts
from recsys.data.vocabulary import NumberVocabulary, TextVocabulary, Vocabulary
from recsys.errors import DataError

texts = st.text(st.characters(exclude_characters=BAD_TEXT, exclude_categories=["Cs"]), min_size=1)
whole = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 2**64 - 1)
ids = st.lists(texts, min_size=1) | st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1)
ids |= st.lists(st.integers(0, 2**64 - 1), min_size=1) | st.lists(st.floats(allow_nan=False, width=64), min_size=1)


def typed(values):
    wide = all(isinstance(value, int) for value in values) and max(values) >= 2**63
    return pl.Series("id", values, dtype=pl.UInt64 if wide else None)


@given(ids)
def test_ids_come_back_exactly_with_their_type(tmp_path_factory, values):
    directory = tmp_path_factory.mktemp("vocabulary")
    coded = code_ids(typed(values)).take(np.ones(len(values), bool), is_text_file=False)
    vocabulary_of(coded.ids).save(directory, "ids")
    vocabulary = Vocabulary.open(directory, "ids")
    found = vocabulary.ids_of(coded.codes)
    assert found == values
    assert {type(one) for one in found} == {type(values[0])}
    assert list(vocabulary) == sorted(set(values))
    assert vocabulary.indices_of(values).tolist() == coded.codes.tolist()


@given(st.lists(texts | st.integers(-50, 50).map(str) | st.just("01"), min_size=1))
def test_ids_of_a_text_file_are_integers_if_all_are_written_so(values):
    coded = code_ids(pl.Series("id", values)).take(np.ones(len(values), bool), is_text_file=True)
    found = coded.ids.gather(coded.codes - 1).to_list()
    if all(value.isascii() and value.lstrip("-").isdigit() and str(int(value)) == value for value in values):
        assert found == [int(value) for value in values]
    else:
        assert found == values
    assert coded.ids.to_list() == sorted(set(found))


def test_a_leading_zero_makes_text_of_all():
    assert text_file("01", "1", "2") == ["01", "1", "2"]
    assert text_file("10", "9", "0", "-3") == [-3, 0, 9, 10]
    assert text_file("-0") == ["-0"]
    assert text_file("+1") == ["+1"]
    assert text_file(str(2**63), "1") == [1, 2**63]
    assert text_file(str(2**64), "1") == ["1", str(2**64)]
    assert text_file(str(2**63), "-1") == ["-1", str(2**63)]


def text_file(*values):
    return code_ids(pl.Series("id", values)).take(np.ones(len(values), bool), is_text_file=True).ids.to_list()


def test_only_rows_that_are_kept_decide_on_the_type():
    coded = code_ids(pl.Series("id", ["user_id", "10", "9"])).take(np.array([False, True, True]), is_text_file=True)
    assert coded.ids.to_list() == [9, 10]
    assert coded.codes.tolist() == [2, 1]


def test_a_header_within_a_log_of_joined_files_is_one_bad_row(read):
    header = "user_id,item_id,timestamp\n"
    events = read(header + "10,1,5\n" + header + "9,1,6\n")
    assert events.user_ids.to_list() == [9, 10]
    assert events.rejected.select("row", "reason", "time").rows() == [(2, "timestamp is not a time", "timestamp")]


def test_unusable_ids_and_why():
    raw = pl.Series("who", ["a", None, "", "b\0", "\N{REPLACEMENT CHARACTER}", " "])
    assert code_ids(raw).codes.tolist() == [2, 0, 0, 0, 0, 1]
    spoilt = "who holds a NUL or bytes of another encoding"
    assert id_faults(raw).to_list() == [None, "who is missing", "who is missing", spoilt, spoilt, None]
    assert id_faults(pl.Series("who", [1.0, float("nan"), None])).to_list() == [None, "who is NaN", "who is missing"]
    assert id_faults(pl.Series("who", [None])).to_list() == ["who is missing"]
    assert id_faults(pl.Series("who", [1])).to_list() == [None]


def test_integers_that_need_more_than_64_bits_are_refused():
    with pytest.raises(
        DataError, match="'id' has integers below 0 and above 2\\^63, or above 2\\^64; write it as text"
    ):
        code_ids(pl.Series("id", [-1, 2**63], dtype=pl.Int128))


@pytest.mark.parametrize("unknown", [0, 4, -1, 2**63, 2**70])
def test_unknown_ids_have_no_index(unknown):
    assert NumberVocabulary(np.array([1, 3, 5])).indices_of([unknown, 3]).tolist() == [0, 2]


def test_unknown_texts_have_no_index():
    vocabulary = TextVocabulary(Texts.of(["01", "1", "😀"]))
    assert vocabulary.indices_of(["😀", "", "2", "\ud83d", "01", np.str_("1")]).tolist() == [3, 0, 0, 0, 1, 2]


@pytest.mark.parametrize(
    "known, wrong",
    [
        ([1, 2], "1"), ([1, 2], 1.0), ([1, 2], True), ([1, 2], np.float64(1)), ([1, 2], None),
        (["1", "2"], 1), (["1"], b"1"), ([1.0], True), ([1.0], 10**400), ([1.5], "1.5"),
    ],
)  # fmt: skip
def test_an_id_of_another_type_is_an_error(known, wrong):
    vocabulary = vocabulary_of(pl.Series(known))
    with pytest.raises(
        DataError, match=f"ids here are of type {vocabulary.id_type}; found .*: give ids in the type of the log"
    ):
        vocabulary.indices_of([wrong])


def test_numbers_of_numpy_are_numbers():
    assert NumberVocabulary(np.array([1, 3])).indices_of([np.int32(3), np.uint64(1)]).tolist() == [2, 1]
    fractions = NumberVocabulary(np.array([0.5, 3.0]))
    assert fractions.indices_of([np.float32(0.5), float("nan"), 3, np.int8(4)]).tolist() == [1, 0, 2, 0]


def test_no_texts_at_all(tmp_path):
    Texts.of([]).save(tmp_path, "none")
    assert list(Texts.open(tmp_path, "none")) == []
