"""How much hangs on ties, against the figures of reordered rankings; and the files of an evaluation."""

import numpy as np
import polars as pl
import pytest
import torch

from recsys.evaluation.audit.files import audit_files
from recsys.evaluation.audit.rankings import SCORES, TIMES, audit_rankings
from recsys.evaluation.lists import write_lists, write_truth
from recsys.evaluation.outcome import LISTS, TRUTH
from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import rank
from tests.evaluation.audit import systems
from tests.evaluation.audit.garden import asked, ranked
from tests.evaluation.conftest import dataset_of, random_clicks


def scored(questions, scores):
    return rank(questions, lambda rows: torch.from_numpy(scores[rows].copy()), k=10, advance=lambda users: None)


def finding_of(questions, check, **rankings):
    return next(finding for finding in audit_rankings(questions, rankings) if finding.check == check)


@pytest.fixture
def questions():
    return Questions.of_test(dataset_of(random_clicks(), num_items=30), exclude_seen=False)


def test_ties_of_score_are_bounded_by_breaking_them_both_ways(questions, random):
    coarse = random.integers(0, 4, (len(questions), 31)).astype(np.float32)
    target = np.eye(31, dtype=np.float32)[questions.targets]
    found = finding_of(questions, SCORES, coarse=scored(questions, coarse))
    for way, bonus in (("last", -0.5), ("first", 0.5)):
        untied = scored(questions, coarse + bonus * target)
        assert found.numbers[f"coarse HR@10, ties {way}"] == np.mean(untied.ranks <= 10)
        gains = np.where(untied.ranks <= 10, 1 / np.log2(untied.ranks + 1.0), 0.0)
        assert found.numbers[f"coarse NDCG@10, ties {way}"] == pytest.approx(gains.mean())
    assert found.verdict == "noted"
    assert found.numbers["coarse tied targets"] > 0


def test_scores_without_ties_pass(questions, random):
    scores = random.permutation(len(questions) * 31).reshape(-1, 31).astype(np.float32)
    found = finding_of(questions, SCORES, fine=scored(questions, scores))
    assert (found.verdict, found.numbers["fine tied targets"]) == ("passed", 0)


def test_ties_of_time_are_bounded_by_hits_and_misses(questions, random):
    times, positions = questions.dataset.histories.times, questions.held_out.positions
    tied = random.random(len(questions)) < 0.4
    times[positions[tied]] = times[positions[tied] - 1]
    ranking = scored(questions, random.random((len(questions), 31)).astype(np.float32))
    found = finding_of(questions, TIMES, it=ranking)
    hits = ranking.ranks <= 10
    low, high = hits[~tied].sum() / len(hits), (hits[~tied].sum() + tied.sum()) / len(hits)
    assert found.verdict == "noted"
    told = f"it HR@10 is {hits.mean():.4f}, {hits[~tied].mean():.4f} for the untied alone"
    assert f"{told}, and lies between {low:.4f} and {high:.4f}" in found.found


@pytest.fixture
def written(prepared, tmp_path):
    """The questions of a dataset by time, and the directory of their files."""
    questions = asked(prepared("by_time"))
    write_truth(tmp_path, questions)
    write_lists(tmp_path, questions, ranked(questions, systems.popular), length=10)
    return questions, tmp_path


def test_the_files_of_an_evaluation_agree_with_its_dataset(written):
    questions, directory = written
    (finding,) = audit_files(directory, questions)
    assert finding.verdict == "passed", finding.found


def with_row(frame, item):
    """The first row once more, with another item."""
    return pl.concat([frame, frame[:1].with_columns(pl.lit(item).alias("item_id"))])


SPOILT = {
    "targets are others": (TRUTH, lambda frame, _: frame.with_columns(pl.col("item_id").reverse())),
    "of users who were not asked": (TRUTH, lambda frame, _: frame[1:]),
    "listed items are no candidates": (LISTS, lambda frame, ids: with_row(frame, ids["untrained"])),
    "listed items were seen": (LISTS, lambda frame, ids: with_row(frame, ids["seen"])),
    "rows stand twice": (LISTS, lambda frame, _: with_row(frame, frame["item_id"][0])),
    "places are wrong": (LISTS, lambda frame, _: frame.with_columns(pl.col("rank").reverse())),
}


@pytest.mark.parametrize("what", SPOILT)
def test_spoilt_files_are_told_from_good_ones(what, written):
    questions, directory = written
    dataset = questions.dataset
    untrained, position = np.flatnonzero(~dataset.candidates)[1], questions.held_out.positions[0]
    seen = dataset.histories.items[position - 1]
    ids = dict(zip(("untrained", "seen"), dataset.items.ids_of([int(untrained), int(seen)]), strict=True))
    name, spoil = SPOILT[what]
    spoil(pl.read_parquet(directory / name), ids).write_parquet(directory / name)
    (finding,) = audit_files(directory, questions)
    assert finding.verdict == "leak"
    assert what in finding.found
