"""What several systems answered to the same questions: runs, from their work directories, and lists from elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.errors import BundleError, DataError
from recsys.evaluation.compare.foreign import read_lists
from recsys.evaluation.outcome import LISTS, NAME, RANKS, RETRIEVER, Protocol, read_evaluation
from recsys.topk import UNRANKED

SAME = ("split", "item_universe", "num_candidates", "ranking", "filter", "ties")
"""What of the protocol has to be the same for ranks to be comparable."""


@dataclass(frozen=True)
class Run:
    """An evaluated work directory, or a file of another system's lists.

    Runs of one `group` are one system, trained with several seeds.
    """

    name: str
    group: str
    path: Path

    @property
    def is_foreign(self) -> bool:
        return self.path.is_file()


@dataclass(frozen=True)
class Answers:
    """One run's test users by rising id: `user_id`, `item_id` of the target, and its `rank`, null if not returned."""

    run: Run
    protocol: Protocol
    users: pl.DataFrame
    lists: pl.DataFrame
    """The first k of each user's list: `user_id`, `item_id`, `rank`."""

    @classmethod
    def of(cls, run: Run, k: int) -> "Answers":
        for path in (f"{NAME}.json", f"{NAME}/{RANKS}", f"{NAME}/{LISTS}"):
            if not (run.path / path).is_file():
                raise DataError(f"{run.name} has no evaluation to compare: {path} is missing; run `recsys evaluate`")
        protocol = read_evaluation(run.path).protocol
        ranks = _parquet(run.path / NAME / RANKS, pl.col("user_id", "item_id"), pl.col(RETRIEVER).alias("rank"))
        lists = _parquet(run.path / NAME / LISTS, pl.col("user_id", "item_id", "rank"))
        return cls(run, protocol, ranks.sort("user_id"), lists.filter(pl.col("rank") <= k).sort("user_id", "rank"))

    @classmethod
    def of_lists(cls, run: Run, asked: "Answers", k: int) -> "Answers":
        """Another system's, to the questions of an evaluated run. A target that is not among its first k is a miss."""
        lists = read_lists(run.path, asked.users, k)
        users = asked.users.select("user_id", "item_id").join(lists, on=["user_id", "item_id"], how="left")
        protocol = asked.protocol.model_copy(update={"uses_time_of_predicted_click": False})
        return cls(run, protocol, users.sort("user_id"), lists)

    @cached_property
    def ranks(self) -> NDArray[np.int64]:
        """[N] from 1, or UNRANKED."""
        return self.users["rank"].fill_null(UNRANKED).to_numpy()


def _parquet(path: Path, *columns: pl.Expr) -> pl.DataFrame:
    try:
        return pl.scan_parquet(path).select(*columns).collect()
    except pl.exceptions.PolarsError as error:
        found = str(error).splitlines()[0]
        raise BundleError(f"{path} is damaged ({found}): run `recsys evaluate` again") from None


def answers_of(runs: Sequence[Run], k: int) -> tuple[Answers, ...]:
    """In the order of the runs, at least one of them evaluated; DataError where two were not asked the same."""
    own = {run: Answers.of(run, k) for run in runs if not run.is_foreign}
    first, *others = own.values()
    for other in others:
        _require_same_protocol(first, other)
        _require_same_users(first, other)
        _require_same_targets(first, other)
    return tuple(own[run] if run in own else Answers.of_lists(run, first, k) for run in runs)


def _require_same_protocol(first: Answers, other: Answers) -> None:
    differing = [
        f"{key} {getattr(first.protocol, key)!r} against {getattr(other.protocol, key)!r}"
        for key in SAME
        if getattr(first.protocol, key) != getattr(other.protocol, key)
    ]
    if differing:
        raise DataError(
            f"runs are compared under one protocol, and {first.run.name} and {other.run.name} were evaluated "
            f"under two: {', '.join(differing)}; "
            "prepare and evaluate both with the same `data` and the same recommend.exclude_seen"
        )


def _require_same_users(first: Answers, other: Answers) -> None:
    types = [[answers.users.schema[column] for column in ("user_id", "item_id")] for answers in (first, other)]
    if types[0] != types[1]:
        raise _different_questions(first, other, f"their ids are {types[0]} against {types[1]}")
    only_first = first.users.join(other.users, on="user_id", how="anti")["user_id"]
    only_other = other.users.join(first.users, on="user_id", how="anti")["user_id"]
    if len(only_first) + len(only_other):
        example = (*only_first.head(1), *only_other.head(1))[0]
        found = f"{len(only_first):,} users are in the first only and {len(only_other):,} in the second only"
        raise _different_questions(first, other, f"{found}, such as {example!r}")


def _require_same_targets(first: Answers, other: Answers) -> None:
    both = first.users.join(other.users, on="user_id").filter(pl.col("item_id") != pl.col("item_id_right"))
    if len(both):
        user, one, another = both.select("user_id", "item_id", "item_id_right").row(0)
        found = f"{len(both):,} of {len(first.users):,} users have another target"
        raise _different_questions(first, other, f"{found}, such as {user!r}: {one!r} against {another!r}")


def _different_questions(first: Answers, other: Answers, found: str) -> DataError:
    return DataError(
        f"runs are compared on the same test clicks, and those of {first.run.name} and {other.run.name} differ: "
        f"{found}; prepare both from the same log with the same `data` section, then train and evaluate again"
    )
