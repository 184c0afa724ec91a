"""Every shipped configuration loads, and runs through every stage on a log of its own shape, with one training step."""

from pathlib import Path

import polars as pl
import pytest

from recsys.config import RunConfig, load_config
from recsys.data.split_config import ByColumnConfig
from recsys.stages.run import run
from recsys.stages.session import opened
from tests.conftest import small_log

CONFIGS = sorted((Path(__file__).parents[1] / "configs").rglob("*.yaml"))
ONE_STEP = ["training.max_minutes=1e-9", "training.device=cpu", "training.threads=1", "tracking.kind=none"]


def write_log(config: RunConfig, directory: Path) -> list[str]:
    """A small log with the configuration's columns, and the overrides that put it in place."""
    events = config.data.events
    columns = {"user_id": events.columns.user, "item_id": events.columns.item, "timestamp": events.columns.time}
    frame = small_log().rename(columns)
    others = {*(feature.column for feature in events.features), *filter(None, [events.columns.label])}
    frame = frame.with_columns(pl.Series(name, [n % 3 == 0 for n in range(len(frame))]) for name in others)
    split = config.data.split
    if isinstance(split, ByColumnConfig):
        is_test = pl.col(events.columns.user).rank("dense") % 3 == 0
        frame = frame.with_columns(pl.when(is_test).then(pl.lit(split.test_values[0])).alias(split.column))
    path = directory / events.path.name
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path, separator=events.separator)
    return [f"data.events.path={path}"]


def write_tables(config: RunConfig, directory: Path) -> list[str]:
    changes = []
    for owner, table in (("item", config.data.items), ("user", config.data.users)):
        if table is not None:
            path = directory / table.path.name
            write_table(table, owner, path)
            changes.append(f"data.{owner}s.path={path}")
    return changes


def write_table(table, owner: str, path: Path) -> None:
    ids = small_log()[f"{owner}_id"].unique().sort().to_list()
    own, title = getattr(table, owner), getattr(table, "title", None)
    names = table.header or [own, *filter(None, [title]), *(feature.column for feature in table.features)]
    columns = {name: [f"{name} of {one}" for one in ids] for name in names} | {own: ids}
    if path.suffix == ".parquet":
        pl.DataFrame(columns).write_parquet(path)
    else:
        lines = [table.separator.join(row) for row in zip(*columns.values(), strict=True)]
        path.write_text("\n".join(lines) + "\n", encoding=table.encoding)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_shipped_configuration_runs(path, tmp_path):
    config = load_config(path)
    assert config.workdir == Path("runs") / path.stem
    changes = [*ONE_STEP, f"workdir={tmp_path / 'run'}", "data.events.min_clicks.per_item=1"]
    if config.evaluation.ideal is not None:
        changes.append("evaluation.ideal=null")
    if config.ranker is not None:
        changes += ["ranker.training.max_minutes=1e-9", "ranker.training.threads=1"]
    changes += write_log(config, tmp_path) + write_tables(config, tmp_path)
    with opened(load_config(path, changes), source=path.name, tell=lambda _: None) as session:
        everything = run(session)
    assert everything.trained.outcome.steps >= 1
    assert everything.recommended.result.num_users == everything.prepared.report.users
    lists = pl.read_parquet(tmp_path / "run" / "recommendations" / "*.parquet")
    assert lists["user_id"].n_unique() == everything.prepared.report.users


def test_there_are_configurations():
    assert {path.stem for path in CONFIGS} >= {"quickstart", "ml-1m", "beauty"}
