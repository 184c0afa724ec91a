"""The lists behind the metrics, and the clicks they are held against, as Parquet in the log's own ids."""

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.data.vocabulary import Vocabulary
from recsys.durable import replaced_file
from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import Ranking

LISTS, TRUTH = "lists.parquet", "truth.parquet"


def write_lists(
    directory: Path, questions: Questions, ranking: Ranking, *, length: int, is_popular: NDArray[np.bool_]
) -> None:
    """`is_popular` marks users without a readable click, whose lists are the popular items."""
    items = ranking.items[:, :length]
    users, places = np.nonzero(items)
    dataset = questions.dataset
    frame = pl.DataFrame(
        {
            "user_id": _ids(dataset.users, questions.held_out.users).gather(users),
            "item_id": _ids(dataset.items, np.arange(1, len(dataset.items) + 1)).gather(items[users, places] - 1),
            "rank": (places + 1).astype(np.int32),
            "score": ranking.scores[users, places],
            "source": pl.Series(np.array(["retriever", "popular"])[is_popular[users].astype(np.int64)]),
        }
    )
    _write(frame, directory / LISTS)


def write_truth(directory: Path, questions: Questions) -> None:
    """One row per test user."""
    users = _ids(questions.dataset.users, questions.held_out.users)
    items = _ids(questions.dataset.items, questions.targets)
    _write(pl.DataFrame({"user_id": users, "item_id": items}), directory / TRUTH)


def _ids(vocabulary: Vocabulary, indices: NDArray[np.int64]) -> pl.Series:
    ids = vocabulary.ids_of(indices)
    is_text = vocabulary.id_type == "string"
    return pl.Series(ids, dtype=pl.String) if is_text else pl.Series(np.array(ids, dtype=vocabulary.id_type))


def _write(frame: pl.DataFrame, path: Path) -> None:
    with replaced_file(path) as temporary:
        frame.write_parquet(temporary)
