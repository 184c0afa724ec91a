"""Writes click logs whose best possible score is known.

* NAME.parquet: user_id "u000123", item_id "i00042", timestamp (seconds since 1970); users one after the other,
  each user's clicks in order of time, no two at the same second.
* NAME.items.parquet: item_id, title, category, department, tags ("quiet|vintage").
* NAME.ideal.parquet: user_id, rank, rank_with_seen: the rank, from 1, of the user's last click when all items that had
  arrived are ranked by the true probability of being the next click, what the user had seen excluded or not.
  The last click itself is never excluded; ties rank it last.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from tqdm import tqdm

from recsys.data.simulation_calendar import BEGIN, draw_lengths
from recsys.data.simulation_catalogue import CATEGORIES, DEPARTMENTS, Catalogue
from recsys.data.simulation_config import SimulationConfig
from recsys.data.simulation_process import World, draw_world, ideal_ranks
from recsys.data.simulation_walk import Walk, walks
from recsys.durable import replaced_file, temporary_directory
from recsys.errors import DataError

ROWS_AT_ONCE = 1 << 18  # of a Parquet row group; fixed, so that equal logs are equal bytes


@dataclass(frozen=True)
class SimulatedLog:
    """Where a simulated log lies."""

    clicks: Path
    items: Path
    ideal: Path


@dataclass(frozen=True)
class BestPossible:
    """What the ideal ranking scores at leave-last-out: no model that knows only what came before expects more."""

    hr: float
    ndcg: float


def simulate_log(config: SimulationConfig, out_file: Path) -> SimulatedLog:
    """Writes the clicks to NAME.parquet, beside it NAME.items.parquet and NAME.ideal.parquet."""
    beside = (out_file.with_name(f"{out_file.stem}.{name}.parquet") for name in ("items", "ideal"))
    return _write(config, SimulatedLog(out_file, *beside))


def best_possible(ideal: Path, *, k: int = 10, exclude_seen: bool, users: pl.Series | None = None) -> BestPossible:
    """HR@k and NDCG@k of an ideal.parquet: every user's last click is the one target.

    DataError where the file is something else, or where `users`, those of the log, are others.
    """
    column = "rank" if exclude_seen else "rank_with_seen"
    try:
        found = pl.read_parquet(ideal, columns=["user_id", column], glob=False)
        ranks = found[column].cast(pl.Int64).to_numpy()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"evaluation.ideal: {ideal} is not what `recsys simulate` writes ({error})") from None
    if users is not None and not found["user_id"].sort().equals(users.sort()):
        raise DataError(
            f"evaluation.ideal: {ideal} tells of other users than the log has ({len(found):,} against {len(users):,}); "
            "give the one that was simulated with the log"
        )
    hits = ranks <= k
    return BestPossible(hr=float(hits.mean()), ndcg=float((hits / np.log2(ranks + 1.0)).mean()))


def _write(config: SimulationConfig, log: SimulatedLog) -> SimulatedLog:
    """The clicks come last: where they are, the other two are as well."""
    of_world, of_lengths, of_walks = np.random.SeedSequence(config.seed).spawn(3)
    world = draw_world(config.num_items, np.random.default_rng(of_world))
    lengths = draw_lengths(config.num_users, config.num_clicks, rng=np.random.default_rng(of_lengths))
    with temporary_directory(log.clicks.with_name(f"{log.clicks.name}.parts")) as parts:
        num_done = 0
        with tqdm(total=len(lengths), desc="simulate", unit=" users", disable=None) as bar:
            for walk in walks(world, lengths, seed=of_walks):
                _clicks(walk, num_done).write_parquet(parts / f"clicks-{num_done:012d}.parquet")
                _ideal(world, walk, num_done).write_parquet(parts / f"ideal-{num_done:012d}.parquet")
                num_done += walk.num_users
                bar.update(walk.num_users)
        _replace(log.items, _items(world.catalogue).lazy())
        for path, name in ((log.ideal, "ideal"), (log.clicks, "clicks")):
            # not a pattern: the user's own directories may have brackets and stars in their names
            _replace(path, pl.scan_parquet(sorted(parts.glob(f"{name}-*.parquet")), glob=False))
    return log


def _replace(path: Path, rows: pl.LazyFrame) -> None:
    """Streams the rows, in order, into the file that takes the place of `path`."""
    with replaced_file(path) as temporary:
        rows.sink_parquet(temporary, row_group_size=ROWS_AT_ONCE)


def _clicks(walk: Walk, first_user: int) -> pl.DataFrame:
    numbers = first_user + np.repeat(np.arange(walk.num_users), np.diff(walk.visits.offsets))
    columns = {"user": numbers, "item": walk.items, "timestamp": BEGIN + walk.visits.times}
    return pl.DataFrame(columns).select(_ids("u", "user", 6), _ids("i", "item", 5), "timestamp")


def _ideal(world: World, walk: Walk, first_user: int) -> pl.DataFrame:
    ranks = ideal_ranks(world, walk.final, walk.last_items())
    numbers = first_user + np.arange(walk.num_users)
    columns = {"user": numbers, "rank": ranks.among_unseen, "rank_with_seen": ranks.among_all}
    return pl.DataFrame(columns).select(_ids("u", "user", 6), "rank", "rank_with_seen")


def _items(catalogue: Catalogue) -> pl.DataFrame:
    category = catalogue.category[:-1]
    departments = tuple(DEPARTMENTS)
    columns = {
        "item": np.arange(catalogue.num_items),
        "title": catalogue.titles(),
        "category": [CATEGORIES[c] for c in category],
        "department": [departments[c % len(departments)] for c in category],
        "tags": ["|".join(catalogue.tags_of(i)) for i in range(catalogue.num_items)],
    }
    return pl.DataFrame(columns).select(_ids("i", "item", 5), pl.exclude("item"))


def _ids(letter: str, name: str, width: int) -> pl.Expr:
    """Column NAME of numbers as column NAME_id of texts: 42 is "i00042"; longer numbers make longer ids."""
    digits = pl.col(name).cast(pl.String).str.zfill(width)
    return pl.concat_str(pl.lit(letter), digits).alias(f"{name}_id")
