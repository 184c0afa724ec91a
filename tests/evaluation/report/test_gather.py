import dataclasses

import numpy as np
import pytest
import torch

from recsys.data.feature_table import Feature, Features
from recsys.data.texts import Texts
from recsys.data.titles import Titles
from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import rank
from recsys.evaluation.report.contents import Best, Calibration, Training
from recsys.evaluation.report.gather import Background, gather
from recsys.topk import UNRANKED
from tests.evaluation.conftest import dataset_of

BACKGROUND = Background(
    title="a run",
    best=Best(0.5, 0.3),
    training=Training((), 0, 1.0),
    ranker=None,
    data_report=(("rows in", "12"),),
    configuration="seed: 1",
    command="recsys run seed=1",
    facts=(("torch", "2"),),
)


def feature_of(values, name="colour"):
    """Item n + 1 has the labels values[n]."""
    labels = sorted({label for own in values for label in own})
    return Feature(
        name=name,
        is_input=False,
        num_values=len(labels) + 1,
        values=np.array([labels.index(label) + 1 for own in values for label in sorted(own)], dtype=np.int32),
        offsets=np.concatenate([[0], np.cumsum([0, *map(len, values)])]),
        labels=Texts.of(labels),
    )


@pytest.fixture
def rich_dataset(dataset):
    """Titles for every item but the third, and two features."""
    titles = Titles(Texts.of("" if item in (0, 3) else f"Item no. {item}" for item in range(31)))
    colours = feature_of([["red"], ["green"], []] * 10)
    tags = feature_of([[f"t{item % 4}", f"u{item % 3}", "new"] for item in range(1, 31)], "tags")
    return dataclasses.replace(dataset, titles=titles, features=Features([colours, tags]))


@pytest.fixture
def tiny_dataset():
    """Two items, one test user."""
    return dataset_of([[1, 2, 1]], num_items=2)


@pytest.fixture(params=["dataset", "dataset_by_time", "rich_dataset", "tiny_dataset"])
def any_dataset(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=[False, True], ids=["unfiltered", "filtered"])
def questions(request, any_dataset):
    return Questions.of_test(any_dataset, exclude_seen=request.param)


@pytest.fixture
def gathered(questions, retriever_of):
    return gathered_of(questions, retriever_of)


def rankings_of(questions):
    scores = torch.randn(len(questions), len(questions.dataset.items) + 1, generator=torch.Generator().manual_seed(0))
    return {
        "retriever": rank(questions, lambda rows: scores[rows].clone(), k=12, advance=lambda _: None),
        "popular": rank(questions, lambda rows: -scores[rows], k=10, advance=lambda _: None),
    }


def gathered_of(questions, retriever_of, calibration=None):
    retriever = retriever_of(questions.dataset).eval()
    return gather(questions, retriever, "the evaluation", rankings_of(questions), calibration, BACKGROUND)


def row_of(questions, example):
    user = questions.dataset.users.indices_of([example.user_id])[0]
    return questions.held_out.users.tolist().index(user)


def ids(items):
    return [int(item.item_id) // 10 for item in items]


def test_what_was_handed_in_is_handed_on(dataset, retriever_of):
    questions, calibration = Questions.of_test(dataset, exclude_seen=True), Calibration((), 0.0)
    found = gathered_of(questions, retriever_of, calibration)
    assert found.evaluation == "the evaluation"
    assert found.calibration is calibration
    for field in dataclasses.fields(Background):
        assert getattr(found, field.name) is getattr(BACKGROUND, field.name)


def test_the_same_is_gathered_twice(questions, gathered, retriever_of):
    assert gathered_of(questions, retriever_of) == gathered


def test_an_example_shows_the_last_clicks_before_the_target_and_nothing_later(questions, gathered):
    histories = questions.dataset.histories
    assert gathered.examples
    for example in gathered.examples:
        row = row_of(questions, example)
        position = questions.held_out.positions[row]
        past = histories.items[histories.offsets[questions.held_out.users[row]] : position].tolist()
        assert ids(example.history) == past[-8:]
        assert example.num_earlier + len(example.history) == len(past)
        assert ids([example.target]) == [histories.items[position]]


def test_an_example_has_the_list_of_the_ranking_and_the_target_where_it_stands(questions, gathered):
    ranking = rankings_of(questions)["retriever"]
    for example in gathered.examples:
        row = row_of(questions, example)
        listed = [item for item in ranking.items[row, :10].tolist() if item]
        assert ids(recommended.item for recommended in example.recommended) == listed
        assert [recommended.rank for recommended in example.recommended] == list(range(1, len(listed) + 1))
        rank_found = None if ranking.ranks[row] == UNRANKED else int(ranking.ranks[row])
        assert example.target_rank == rank_found
        marked = [recommended.rank for recommended in example.recommended if recommended.is_target]
        assert marked == ([] if rank_found is None or rank_found > 10 else [rank_found])


def test_no_user_is_an_example_twice(gathered):
    users = [example.user_id for example in gathered.examples]
    assert len(set(users)) == len(users) <= 10


@pytest.mark.parametrize("questions", [True], indirect=True, ids=["filtered"])
def test_hits_misses_and_what_cannot_be_returned_are_all_among_the_examples(questions, gathered):
    ranks = rankings_of(questions)["retriever"].ranks
    shown = {example.target_rank or UNRANKED: example.why for example in reversed(gathered.examples)}
    for wish in {1, 3, 10, UNRANKED} & set(ranks.tolist()):
        assert wish in shown
    assert ((ranks > 10) & (ranks <= 20)).any() == any(10 < rank <= 20 for rank in shown)
    if 1 in shown:
        assert shown[1] == f"the target came first, as for {(ranks == 1).sum()} of {len(ranks)} users"


def test_why_a_target_could_not_be_returned_is_told_apart(dataset_by_time, retriever_of):
    questions = Questions.of_test(dataset_by_time, exclude_seen=True)
    unranked = [found for found in gathered_of(questions, retriever_of).examples if found.target_rank is None]
    before = f"the filter takes it out, as for {questions.are_repeated.sum()} of 54 users"
    assert any(found.why.endswith(before) for found in unranked)
    assert any(found.why == "the target is no candidate, as for 1 of 54 users" for found in unranked)


def test_who_cannot_be_read_is_said_to_be(retriever_of):
    dataset = dataset_of([[1, 1, 1], [2, 2, 1]], num_items=2, train=[1, 0], validation=[1, 2], split="by_time")
    found = gathered_of(Questions.of_test(dataset, exclude_seen=False), retriever_of).examples
    unread = {example.user_id for example in found if "nothing of the history could be read" in example.why}
    assert unread == {"u0001"}


def test_titles_fall_back_to_ids_and_labels_are_the_first_three(rich_dataset, retriever_of):
    points = gathered_of(Questions.of_test(rich_dataset, exclude_seen=True), retriever_of)
    shown = {item.item_id: item for example in points.examples for item in (*example.history, example.target)}
    assert shown["30"].name == "30"
    assert shown["40"].name == "Item no. 4"
    assert shown["40"].labels == ("red", "new", "t0")
    assert shown["30"].labels == ("new", "t3", "u0")


def test_without_a_table_items_are_called_by_their_ids(dataset, retriever_of):
    found = gathered_of(Questions.of_test(dataset, exclude_seen=True), retriever_of)
    for item in found.examples[0].history:
        assert item.name == item.item_id
        assert item.labels == ()


def test_shares_of_popularity_are_those_of_a_count(questions, gathered):
    dataset = questions.dataset
    counts = dataset.training_counts()
    ordered = sorted(np.flatnonzero(dataset.candidates).tolist(), key=lambda item: (-counts[item], item))
    tenth = {item: place * 10 // len(ordered) for place, item in enumerate(ordered)}
    for system, ranking in rankings_of(questions).items():
        listed = [tenth[item] for item in ranking.items[:, :10].ravel().tolist() if item]
        expected = np.bincount(np.array(listed, dtype=int), minlength=10) / max(1, len(listed))
        np.testing.assert_allclose(gathered.popularity.recommended[system], expected)
    clicked = [tenth[item] for item in questions.targets.tolist() if item in tenth]
    np.testing.assert_allclose(gathered.popularity.clicked, np.bincount(clicked, minlength=10) / len(clicked))


def test_every_user_is_in_the_bar_of_their_clicks(retriever_of):
    lengths = [3, 4, 5, 9, 10, 19, 20, 49, 50, 100, 250]
    dataset = dataset_of([([1, 2, 3] * 100)[:length] for length in lengths], num_items=3)
    found = gathered_of(Questions.of_test(dataset, exclude_seen=False), retriever_of).history_lengths
    assert [(bar.label, bar.count) for bar in found] == [
        ("3-4", 2),
        ("5-9", 2),
        ("10-19", 2),
        ("20-49", 2),
        ("50-99", 1),
        ("100-199", 1),
        ("200-499", 1),
    ]


def test_bars_of_one_click_have_one_number(retriever_of):
    dataset = dataset_of([[1], [1, 2], [1, 2, 3]], num_items=3, train=[1, 1, 1], validation=[0, 0, 1])
    found = gathered_of(Questions.of_test(dataset, exclude_seen=False), retriever_of).history_lengths
    assert [bar.label for bar in found] == ["1", "2", "3-4"]
