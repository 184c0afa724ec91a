"""Leaks in the prepared files, in the log, in the item table."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from recsys.data.events.clean import without_rare
from recsys.evaluation.audit.data import audit_data
from recsys.evaluation.audit.findings import Finding
from recsys.evaluation.audit.rare import audit_log
from tests.evaluation.audit.conftest import FEATURES
from tests.evaluation.audit.garden import Garden, asked, audited, someone, with_files

# --- in the prepared files


def test_clicks_that_train(garden: Garden) -> list[Finding]:
    dataset = garden.dataset("by_time")
    user, target = someone(dataset)
    train_end, validation_end = np.array(dataset.split.train_end), np.array(dataset.split.validation_end)
    train_end[user] = validation_end[user] = target
    return audited(
        asked(with_files(dataset, garden.directory / "x", train_end=train_end, validation_end=validation_end))
    )


def a_validation_click_that_trains(garden: Garden) -> list[Finding]:
    dataset = garden.dataset("leave_last_out")
    train_end = np.array(dataset.split.train_end)
    train_end[7] += 1
    return audited(asked(with_files(dataset, garden.directory / "x", train_end=train_end)))


def test_users_who_train(garden: Garden) -> list[Finding]:
    dataset = garden.dataset("by_column")
    user, _ = someone(dataset, training=0)
    ends = {name: np.array(getattr(dataset.split, name)) for name in ("train_end", "validation_end")}
    for end in ends.values():
        end[user] += 2
    return audited(asked(with_files(dataset, garden.directory / "x", **ends)))


def parts_out_of_order(garden: Garden) -> list[Finding]:
    dataset = garden.dataset("leave_last_out")
    train_end = np.array(dataset.split.train_end)
    train_end[7] += 2
    return list(audit_data(asked(with_files(dataset, garden.directory / "x", train_end=train_end))))


def the_future_in_the_history(garden: Garden) -> list[Finding]:
    dataset = garden.dataset("leave_last_out")
    items, times = np.array(dataset.histories.items), np.array(dataset.histories.times)
    _, target = someone(dataset)
    for values in (items, times):
        values[[target - 1, target]] = values[[target, target - 1]]
    return audited(asked(with_files(dataset, garden.directory / "x", items=items, times=times)))


def candidates_of_the_future(garden: Garden) -> list[Finding]:
    dataset = garden.dataset("by_time")
    candidates = np.arange(len(dataset.candidates)) > 0
    return audited(asked(with_files(dataset, garden.directory / "x", candidates=candidates)))


def untrained_items_taken_for_trained(garden: Garden) -> list[Finding]:
    dataset = garden.dataset("by_time")
    trained = np.arange(len(dataset.trained_items)) > 0
    return audited(asked(with_files(dataset, garden.directory / "x", trained_items=trained)))


def a_click_on_either_side_of_the_cut(garden: Garden) -> list[Finding]:
    dataset = garden.dataset("leave_last_out")
    items, times = np.array(dataset.histories.items), np.array(dataset.histories.times)
    _, target = someone(dataset)
    items[target - 2], times[target - 2 : target] = items[target], times[target]
    return audited(asked(with_files(dataset, garden.directory / "x", items=items, times=times)))


# --- in the log


def users_under_two_names(garden: Garden) -> list[Finding]:
    """Their second selves go on for three clicks more, so that the first ones' targets train."""
    clicks = garden.log.clicks
    copied = clicks.filter(pl.col("user_id").str.slice(1).cast(pl.Int64) < 12)
    copied = copied.with_columns((pl.lit("copy of ") + pl.col("user_id")).alias("user_id"))
    last = copied.group_by("user_id", maintain_order=True).last()
    more = [last.with_columns(pl.col("timestamp") + later) for later in (60, 120, 180)]
    log = garden.log.having(garden.directory / "x", clicks=pl.concat([clicks, copied, *more]))
    return audited(asked(log.prepare("leave_last_out")))


def sessions_of_the_test_part_in_training(garden: Garden) -> list[Finding]:
    clicks = garden.log.clicks
    copied = clicks.filter((pl.col("part") == "test") & (pl.col("user_id").str.slice(1).cast(pl.Int64) < 30))
    renamed = (pl.lit("copy of ") + pl.col("user_id")).alias("user_id")
    copied = copied.with_columns(renamed, pl.lit("train").alias("part"))
    log = garden.log.having(garden.directory / "x", clicks=pl.concat([clicks, copied]))
    return audited(asked(log.prepare("by_column")))


def items_counted_over_the_whole_log(garden: Garden) -> list[Finding]:
    log = garden.log.having(garden.directory / "x")
    least = {"min_clicks": {"per_item": 8}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recsys.data.prepare.without_rare", lambda clicks, config, **_: without_rare(clicks, config))
        questions = asked(log.prepare("by_time", **least))
    return [*audited(questions), *audit_log(log.config("by_time", **least), questions)]


# --- in the item table


def with_column(garden: Garden, kind: str, name: str, told: Callable[[pl.DataFrame], pl.DataFrame]) -> list[Finding]:
    """`told` makes item_id and the column of every click with the number that its user still has to go."""
    to_go = (pl.len() - 1 - pl.int_range(pl.len())).over("user_id").alias("to_go")
    column = told(garden.log.clicks.with_columns(to_go)).select("item_id", name)
    items = garden.log.items.join(column, on="item_id", how="left", maintain_order="left")
    log = garden.log.having(garden.directory / "x", items=items)
    return audited(asked(log.prepare(kind, features=[*FEATURES, {"column": name}])))


def a_column_of_targets(garden: Garden) -> list[Finding]:
    told = pl.col("to_go").min().eq(0).cast(pl.String).alias("answers")
    return with_column(garden, "leave_last_out", "answers", lambda clicks: clicks.group_by("item_id").agg(told))


def a_column_of_all_clicks(garden: Garden) -> list[Finding]:
    total = pl.len().alias("clicks")
    return with_column(garden, "leave_last_out", "clicks", lambda clicks: clicks.group_by("item_id").agg(total))


def a_column_of_last_days(garden: Garden) -> list[Finding]:
    """As "last sold in" would be, exported after the log ended."""
    day = (pl.col("timestamp").max() // 259_200).alias("sold").cast(pl.String) + "rd three days"
    return with_column(garden, "by_time", "sold", lambda clicks: clicks.group_by("item_id").agg(day.alias("sold")))
