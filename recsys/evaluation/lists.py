"""The lists and ranks behind the metrics, and the clicks they are held against, as Parquet in the log's own ids."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from recsys.data.events.ids import id_column
from recsys.durable import replaced_file
from recsys.evaluation.outcome import LISTS, RANKS, TRUTH
from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import Ranking
from recsys.topk import UNRANKED


def write_lists(directory: Path, questions: Questions, ranking: Ranking, *, length: int) -> None:
    """Lists of users without a readable click are the popular items, and say so."""
    items = ranking.items[:, :length]
    users, places = np.nonzero(items)
    is_popular = (questions.pasts(1).lengths == 0)[users]
    frame = pl.DataFrame(
        {
            "user_id": _users(questions).gather(users),
            "item_id": id_column(questions.dataset.items).gather(items[users, places] - 1),
            "rank": (places + 1).astype(np.int32),
            "score": ranking.scores[users, places],
            "source": pl.Series(np.array(["retriever", "popular"])[is_popular.astype(np.int64)]),
        }
    )
    _write(frame, directory / LISTS)


def write_truth(directory: Path, questions: Questions) -> None:
    """One row per test user."""
    _write(_truth(questions), directory / TRUTH)


def write_ranks(directory: Path, questions: Questions, rankings: Mapping[str, Ranking]) -> None:
    """One row per test user, one column per system: the target's rank, null where it cannot be returned."""
    ranks = [pl.Series(system, ranking.ranks).replace(UNRANKED, None) for system, ranking in rankings.items()]
    _write(_truth(questions).with_columns(ranks), directory / RANKS)


def _truth(questions: Questions) -> pl.DataFrame:
    items = id_column(questions.dataset.items).gather(questions.targets - 1)
    return pl.DataFrame({"user_id": _users(questions), "item_id": items})


def _users(questions: Questions) -> pl.Series:
    return id_column(questions.dataset.users).gather(questions.held_out.users - 1)


def _write(frame: pl.DataFrame, path: Path) -> None:
    with replaced_file(path) as temporary:
        frame.write_parquet(temporary)
