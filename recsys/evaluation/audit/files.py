"""The files of an evaluation say what the dataset says, to a stranger who reads them in the log's ids."""

from pathlib import Path

import numpy as np
import polars as pl

from recsys.data.events.ids import id_column
from recsys.evaluation.audit.clicks import Int64
from recsys.evaluation.audit.findings import Finding
from recsys.evaluation.outcome import LISTS, TRUTH
from recsys.evaluation.questions import Questions

CHECK = "truth.parquet has the test clicks and lists.parquet what may be recommended"


def audit_files(directory: Path, questions: Questions) -> tuple[Finding, ...]:
    """`directory` holds what `evaluate` wrote."""
    truth, lists = pl.read_parquet(directory / TRUTH), pl.read_parquet(directory / LISTS)
    wrong = {
        "targets are others": _other_rows(truth, _pairs(questions, questions.held_out.positions)),
        "rows are of users who were not asked": lists.join(truth, on="user_id", how="anti").height,
        "listed items are no candidates": lists.join(_candidates(questions), on="item_id", how="anti").height,
        "listed items were seen": lists.join(_seen(questions), on=["user_id", "item_id"], how="semi").height,
        "rows stand twice": lists.height - lists.select("user_id", "item_id").n_unique(),
        "places are wrong": _wrong_places(lists),
    }
    told = ", ".join(f"{n:,} {what}" for what, n in wrong.items() if n)
    return (
        Finding(
            check=CHECK,
            verdict="leak" if told else "passed",
            found=f"of {truth.height:,} targets and {lists.height:,} listed items, {told or 'none is wrong'}",
            remedy="run `recsys evaluate` again" if told else "",
            numbers=dict(wrong),
        ),
    )


def _other_rows(found: pl.DataFrame, expected: pl.DataFrame) -> int:
    extra = found.join(expected, on=["user_id", "item_id"], how="anti").height
    missing = expected.join(found, on=["user_id", "item_id"], how="anti").height
    return max(extra, missing, abs(found.height - expected.height))


def _pairs(questions: Questions, positions: Int64) -> pl.DataFrame:
    """The user and the item of each click."""
    dataset = questions.dataset
    users = np.searchsorted(np.asarray(dataset.histories.offsets), positions, side="right") - 1
    items = np.asarray(dataset.histories.items)[positions]
    return pl.DataFrame(
        {
            "user_id": id_column(dataset.users).gather(users - 1),
            "item_id": id_column(dataset.items).gather(items - 1),
        }
    )


def _candidates(questions: Questions) -> pl.DataFrame:
    chosen = np.flatnonzero(questions.dataset.candidates)
    return pl.DataFrame({"item_id": id_column(questions.dataset.items).gather(chosen - 1)})


def _seen(questions: Questions) -> pl.DataFrame:
    """Every click before a target, if these are filtered."""
    offsets, held_out = np.asarray(questions.dataset.histories.offsets), questions.held_out
    ends = offsets[:-1].copy()
    ends[held_out.users] = held_out.positions
    place = np.arange(questions.dataset.histories.num_events)
    owner = np.repeat(np.arange(len(ends)), np.diff(offsets))
    return _pairs(questions, place[(place < ends[owner]) & questions.filters_seen])


def _wrong_places(lists: pl.DataFrame) -> int:
    """Users whose places are not 1, 2, 3 ... by falling score."""
    scores = pl.col("score").sort_by("rank").diff().max().fill_null(0.0)
    places = (pl.col("rank").sort() == pl.int_range(1, pl.len() + 1)).all()
    return lists.group_by("user_id").agg(scores.alias("rise"), places.alias("whole")).filter(
        ~pl.col("whole") | (pl.col("rise") > 0)
    ).height  # fmt: skip
