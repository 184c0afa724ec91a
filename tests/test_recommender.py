"""A bundle answers as a plain sort of all scores would, in the ids of the log."""

import dataclasses

import numpy as np
import pytest
import torch

from recsys.data.vocabulary import NumberVocabulary
from recsys.errors import ConfigError, DataError, UnknownItem
from recsys.recommender import Recommender
from tests.bundle.made import MAX_LENGTH, NUM_ITEMS, made_recommender

HISTORY = ["i050", "i120", "i050", "i300", "i010", "i020", "i070", "i080"]
LATE = [f"i{10 * number}" for number in range(NUM_ITEMS - 2, NUM_ITEMS + 1)]


@pytest.fixture(scope="module")
def recommender(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    return made_recommender(tmp_path_factory.mktemp("leave_last_out"))


@pytest.fixture(scope="module")
def by_time(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    return made_recommender(tmp_path_factory.mktemp("by_time"), by_time=True)


@pytest.fixture(scope="module")
def by_number(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    return made_recommender(tmp_path_factory.mktemp("numbers"), has_numbers=True)


def scores_by_hand(recommender: Recommender, history: list[str]) -> dict[str, float]:
    """Every candidate's score after the last clicks, straight from the retriever."""
    bundle = recommender.bundle
    known = [int(index) for index in bundle.items.indices_of(history) if bundle.known[index]][-MAX_LENGTH:]
    with torch.inference_mode():
        user_1D = bundle.retriever.user_vectors(torch.tensor([known]), torch.tensor([len(known)]))
        scores = (user_1D @ bundle.retriever.item_vectors().T)[0].tolist()
    candidates = np.flatnonzero(bundle.candidates).tolist()
    return {bundle.items.ids_of([item])[0]: scores[item] for item in candidates}


@pytest.mark.parametrize("exclude_seen", [True, False])
def test_recommend_is_a_sort_of_all_scores(recommender: Recommender, exclude_seen: bool) -> None:
    scores = scores_by_hand(recommender, HISTORY)
    allowed = scores.keys() - (set(HISTORY) if exclude_seen else set())
    best = sorted(allowed, key=lambda item: -scores[item])[:7]
    answer = recommender.recommend(HISTORY, k=7, exclude_seen=exclude_seen)
    assert [found.item for found in answer] == best
    assert [found.score for found in answer] == pytest.approx([scores[item] for item in best], abs=1e-5)
    assert {found.source for found in answer} == {"retriever"}
    assert answer[0].title == f"Film {int(answer[0].item[1:]) // 10} (1999)"


def test_a_batch_equals_one_by_one(recommender: Recommender) -> None:
    histories = [HISTORY, [], ["i010"], ["no such"], HISTORY[:3], HISTORY * 3]
    together = recommender.recommend_many(histories, k=5)
    for one, history in zip(together, histories, strict=True):
        alone = recommender.recommend(history, k=5)
        assert [found.item for found in one] == [found.item for found in alone]
        assert [found.score for found in one] == pytest.approx([found.score for found in alone], abs=1e-5)
    assert recommender.recommend_many([]) == []


def test_with_nothing_known_the_most_clicked_come_back(recommender: Recommender) -> None:
    popularity = recommender.bundle.popularity
    answer = recommender.recommend(["no such"], k=4)
    assert [found.score for found in answer] == np.sort(popularity)[::-1][:4].tolist()
    assert {found.source for found in answer} == {"popular"}
    assert answer == recommender.recommend([], k=4)


def test_items_never_trained_are_neither_read_nor_given(by_time: Recommender) -> None:
    assert by_time.unknown(["i010", *LATE, "no such"]) == [*LATE, "no such"]
    known = by_time.recommend(["i010", "i020"], k=5)
    assert by_time.recommend(["i010", *LATE, "no such", "i020"], k=5) == known
    everything = by_time.recommend(["i010"], k=NUM_ITEMS, exclude_seen=False)
    assert not {found.item for found in everything} & set(LATE)


def test_more_than_there_are_is_all_there_are(recommender: Recommender) -> None:
    answer = recommender.recommend(HISTORY, k=10**9)
    assert len(answer) == NUM_ITEMS - len(set(HISTORY))
    assert len(recommender.recommend([], k=10**9)) == NUM_ITEMS
    assert len(recommender.similar("i010", k=10**9)) == NUM_ITEMS - 1
    everything = [f"i{10 * number:03}" for number in range(1, NUM_ITEMS + 1)]
    assert recommender.recommend(everything) == []


@pytest.mark.parametrize(("k", "text"), [(0, "at least 1, got 0"), (-3, "at least 1, got -3"), (True, "whole number")])
def test_k_is_checked(recommender: Recommender, k: int, text: str) -> None:
    with pytest.raises(ConfigError, match=f"k must be (a )?{text}"):
        recommender.recommend(HISTORY, k=k)
    with pytest.raises(ConfigError, match=f"k must be (a )?{text}"):
        recommender.similar("i010", k=k)


def test_similar_is_a_sort_of_cosines_without_the_item_itself(recommender: Recommender) -> None:
    vectors = recommender.bundle.item_vectors[1:].astype(np.float64)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = units @ units[4]
    order = [place for place in np.argsort(-cosines) if place != 4][:6]
    answer = recommender.similar("i050", k=6)
    assert [found.item for found in answer] == [f"i{10 * (place + 1):03}" for place in order]
    assert [found.score for found in answer] == pytest.approx(cosines[order].tolist(), abs=1e-5)
    assert answer[0].title == f"Film {order[0] + 1} (1999)"


def test_similar_searches_the_index(recommender: Recommender, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    near = recommender.bundle.index.near

    def watched(row: int, k: int) -> object:
        asked.append((row, k))
        return near(row, k)

    monkeypatch.setattr(recommender.bundle.index, "near", watched)
    recommender.similar("i050", k=6)
    assert asked == [(4, 6)]


def test_an_unknown_item_is_refused_with_close_matches(recommender: Recommender, by_time: Recommender) -> None:
    with pytest.raises(UnknownItem, match=r"'I12O' is not in .*catalogue \(40 items\): did you mean 'i120' \(Film 12"):
        recommender.similar("I12O")
    with pytest.raises(UnknownItem, match=r"did you mean 'i070' \(Film 7 \(1999\)\)"):
        recommender.similar("film 7")
    with pytest.raises(UnknownItem, match=r"'zzz' is not in .*, and no id or title is like it"):
        recommender.similar("zzz")
    with pytest.raises(UnknownItem, match=f"'{LATE[0]}' was never clicked in training"):
        by_time.similar(LATE[0])


def test_an_id_of_another_type_is_refused(recommender: Recommender, by_number: Recommender) -> None:
    with pytest.raises(DataError, match="ids here are of type string; found 5, a int"):
        recommender.recommend(["i010", 5])
    with pytest.raises(DataError, match="ids here are of type int64; found '50', a str"):
        by_number.similar("50")
    with pytest.raises(DataError, match=r"items are a list of ids, got the text 'i010'"):
        recommender.recommend("i010")


def test_typed_text_becomes_an_id_of_the_catalogue(recommender: Recommender, by_number: Recommender) -> None:
    assert recommender.parse_item("050") == "050"
    assert by_number.parse_item("50") == 50
    assert by_number.similar(by_number.parse_item("50"), k=1)[0].item != 50
    with pytest.raises(UnknownItem, match=r"item 121 is not in .*did you mean .*120 \(Film 12"):
        by_number.similar(by_number.parse_item("121"))


@pytest.mark.parametrize("text", ["050", "5_0", " 50", "50.0", "\u0665\u0660", "", "--5", "-0"])
def test_text_that_is_no_id_of_the_catalogue_is_refused(by_number: Recommender, text: str) -> None:
    with pytest.raises(UnknownItem, match="is no id of this bundle, whose ids are int64"):
        by_number.parse_item(text)


def test_ids_that_are_fractions_are_typed_as_such(by_number: Recommender) -> None:
    halves = NumberVocabulary(np.arange(1, NUM_ITEMS + 1) / 2)
    recommender = Recommender(dataclasses.replace(by_number.bundle, items=halves))
    assert recommender.parse_item("1.5") == 1.5
    assert recommender.name_of(1.5) == "1.5 (Film 3 (1999))"
    with pytest.raises(UnknownItem, match=r"item '1\.5\.2' is no id of this bundle, whose ids are float64"):
        recommender.parse_item("1.5.2")


def test_a_title_typed_for_an_id_is_offered_its_item(by_number: Recommender) -> None:
    with pytest.raises(UnknownItem, match=r"'Film 12' is no id of .* did you mean 120 \(Film 12 \(1999\)\)"):
        by_number.parse_item("Film 12")


def test_answers_are_plain_python(recommender: Recommender, by_number: Recommender) -> None:
    for answer in (recommender.recommend(HISTORY)[0], recommender.similar("i010")[0]):
        assert (type(answer.item), type(answer.score)) == (str, float)
    assert type(by_number.recommend([10, np.int64(20)])[0].item) is int


def test_a_recommender_on_a_device_leaves_the_bundle_where_it_was(recommender: Recommender) -> None:
    before = recommender.recommend(HISTORY)
    Recommender(recommender.bundle, device="meta")
    assert recommender.recommend(HISTORY) == before
    assert {weights.device.type for weights in recommender.bundle.retriever.parameters()} == {"cpu"}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_the_device_gives_the_same_scores(recommender: Recommender) -> None:
    on_device = Recommender(recommender.bundle, device="cuda")
    histories = [HISTORY, [], ["i010"]]
    answers = zip(on_device.recommend_many(histories), recommender.recommend_many(histories), strict=True)
    for there, here in answers:
        assert [found.score for found in there] == pytest.approx([found.score for found in here], abs=1e-3)
