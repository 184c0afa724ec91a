"""Every user's exact top-k, streamed to Parquet in parts; a job that was stopped goes on where it was."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from tqdm import tqdm

from recsys.data.events.ids import id_column
from recsys.durable import fingerprint
from recsys.offline.parts import Parts
from recsys.offline.requests import Requests
from recsys.recommend_config import RecommendConfig
from recsys.recommender import Lists, Recommender

NUM_AT_ONCE = 2048


@dataclass(frozen=True)
class OfflineResult:
    """`num_popular` lists are the popular one, `num_short` have fewer than k items; the time is this process's."""

    directory: Path
    num_users: int
    num_popular: int
    num_short: int
    num_unknown_clicks: int
    num_users_now: int
    """Users whose lists were not there already."""
    seconds: float

    @property
    def users_per_second(self) -> float:
        return self.num_users_now / self.seconds if self.num_users_now else 0.0


def recommend_users(
    recommender: Recommender,
    requests: Requests,
    directory: Path,
    config: RecommendConfig,
    *,
    tell: Callable[[str], None] = print,
) -> OfflineResult:
    """Writes `directory`/part-*.parquet: user_id, item_id, rank from 1, score, source, a user's rows together.

    Parts of the same request that are there already are kept; those of another one are removed first.
    """
    started = time.perf_counter()
    parts = Parts(directory, len(requests), config.part_size)
    parts.begin(_fingerprint(recommender, requests, config))
    done = set(parts.done())
    _say(tell, len(done), len(parts))
    missing = [part for part in range(len(parts)) if part not in done]
    num_missing = sum(stop - start for start, stop in map(parts.bounds, missing))
    job = _Job(recommender, requests, config.k, config.exclude_seen)
    with tqdm(
        total=len(requests), initial=len(requests) - num_missing, desc="recommend", unit=" users", disable=None
    ) as bar:
        for part in missing:
            chunks = []
            for chunk in job.lists(*parts.bounds(part)):
                chunks.append(chunk.lists)
                bar.update(chunk.num_users)
            parts.write(part, pl.concat(chunks))
    return _result(job, parts, num_missing, time.perf_counter() - started)


@dataclass(frozen=True)
class _Chunk:
    num_users: int
    lists: pl.DataFrame


class _Job:
    """One request to one recommender."""

    def __init__(self, recommender: Recommender, requests: Requests, k: int, exclude_seen: bool) -> None:
        self.recommender = recommender
        self.requests = requests
        self.k = k
        self.exclude_seen = exclude_seen
        self._item_ids = id_column(recommender.bundle.items)

    def lists(self, start: int, stop: int) -> Iterator[_Chunk]:
        """The lists of users [start, stop), some users at a time."""
        for first in range(start, stop, NUM_AT_ONCE):
            last = min(first + NUM_AT_ONCE, stop)
            clicks = self.requests.clicks(first, last)
            lists = self.recommender.lists(clicks, k=self.k, exclude_seen=self.exclude_seen)
            yield _Chunk(last - first, self._frame(lists, self.requests.users[first:last]))

    def num_unknown(self, start: int, stop: int) -> int:
        """Clicks of users [start, stop) that the model cannot read."""
        return int(np.count_nonzero(~self.recommender.bundle.known[self.requests.clicks(start, stop).items]))

    def _frame(self, lists: Lists, users: pl.Series) -> pl.DataFrame:
        rows, columns = np.nonzero(lists.items)
        sources = pl.Series([self.recommender.source, "popular"])
        return pl.DataFrame(
            {
                "user_id": users.gather(rows),
                "item_id": self._item_ids.gather(lists.items[rows, columns] - 1),
                "rank": (columns + 1).astype(np.int32),
                "score": lists.scores[rows, columns],
                "source": sources.gather(lists.is_popular[rows].astype(np.int64)),
            }
        )


def _fingerprint(recommender: Recommender, requests: Requests, config: RecommendConfig) -> str:
    settings = (config.k, config.exclude_seen, config.part_size)
    return fingerprint(recommender.bundle.content_id, requests.fingerprint, *map(str, settings))


def _say(tell: Callable[[str], None], num_done: int, num_parts: int) -> None:
    if num_done == num_parts:
        tell(f"recommend: all {num_parts} parts are there already; nothing to do")
    elif num_done:
        tell(f"recommend: {num_done} of {num_parts} parts are there already; going on with the others")


def _result(job: _Job, parts: Parts, num_users_now: int, seconds: float) -> OfflineResult:
    """Counts what lies there, whichever process wrote it."""
    rank, is_popular = pl.col("rank"), pl.col("source") == "popular"
    files = [parts.path(part) for part in range(len(parts))]
    counts = pl.scan_parquet(files, glob=False).select(
        full=(rank == job.k).sum(), popular=((rank == 1) & is_popular).sum()
    )
    num_full, num_popular = counts.collect().row(0)
    return OfflineResult(
        directory=parts.directory,
        num_users=parts.num_users,
        num_popular=num_popular,
        num_short=parts.num_users - num_full,
        num_unknown_clicks=sum(job.num_unknown(*parts.bounds(part)) for part in range(len(parts))),
        num_users_now=num_users_now,
        seconds=seconds,
    )
