"""The lists behind the metrics, and the clicks they are held against, as Parquet in the log's own ids."""

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.data.events.ids import id_column
from recsys.durable import replaced_file
from recsys.evaluation.outcome import LISTS, TRUTH
from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import Ranking


def write_lists(
    directory: Path, questions: Questions, ranking: Ranking, *, length: int, is_popular: NDArray[np.bool_]
) -> None:
    """`is_popular` marks users without a readable click, whose lists are the popular items."""
    items = ranking.items[:, :length]
    users, places = np.nonzero(items)
    dataset = questions.dataset
    frame = pl.DataFrame(
        {
            "user_id": id_column(dataset.users).gather(questions.held_out.users[users] - 1),
            "item_id": id_column(dataset.items).gather(items[users, places] - 1),
            "rank": (places + 1).astype(np.int32),
            "score": ranking.scores[users, places],
            "source": pl.Series(np.array(["retriever", "popular"])[is_popular[users].astype(np.int64)]),
        }
    )
    _write(frame, directory / LISTS)


def write_truth(directory: Path, questions: Questions) -> None:
    """One row per test user."""
    users = id_column(questions.dataset.users).gather(questions.held_out.users - 1)
    items = id_column(questions.dataset.items).gather(questions.targets - 1)
    _write(pl.DataFrame({"user_id": users, "item_id": items}), directory / TRUTH)


def _write(frame: pl.DataFrame, path: Path) -> None:
    with replaced_file(path) as temporary:
        frame.write_parquet(temporary)
