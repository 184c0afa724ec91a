"""A click log becomes a dataset's directory. Indices follow the sorted ids, never the order of the input."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.data.click_columns import LABELS, ClickFeatures
from recsys.data.config import DataConfig
from recsys.data.dataset import ITEMS, REJECTED, REPORT, USERS, DatasetManifest
from recsys.data.events.clean import Clicks, sort_clicks, without_duplicates, without_rare
from recsys.data.events.conditions import holds
from recsys.data.events.config import RowFilter
from recsys.data.events.files import find_files
from recsys.data.events.ids import vocabulary_of
from recsys.data.events.read import Events, read_events, require_events
from recsys.data.features import NO_TABLE, IdTable, read_item_table, read_user_table
from recsys.data.histories import Histories
from recsys.data.read_click_columns import click_columns, click_features, labels_of
from recsys.data.report import DataReport, describe
from recsys.data.split import Cuts, Split, split_by_time, split_by_users, split_leave_last_out
from recsys.data.split_config import ByColumnConfig, ByTimeConfig, LeaveLastOutConfig, SplitConfig
from recsys.durable import fingerprint, json_bytes, replaced_directory, sha256_of
from recsys.errors import DataError

REFUSED = "dataset.refused"
ALL_ITEMS = "leave_last_out"
"""The split under which items that nobody clicked in training are ranked as well."""


@dataclass(frozen=True)
class Catalogued:
    """Clicks with dense indices in place of codes, and the ids that are left, in index order."""

    clicks: Clicks
    user_ids: pl.Series
    item_ids: pl.Series

    @cached_property
    def histories(self) -> Histories:
        lengths = np.bincount(self.clicks.users, minlength=len(self.user_ids) + 1)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Histories(self.clicks.items, self.clicks.times, offsets)


@dataclass(frozen=True)
class Tables:
    """What is known of items, users and clicks besides who clicked what and when."""

    items: IdTable
    users: IdTable
    labels: NDArray[np.uint8] | None
    clicks: ClickFeatures

    @classmethod
    def of(cls, config: DataConfig, events: Events, catalogued: Catalogued, trains: NDArray[np.bool_]) -> "Tables":
        rows = catalogued.clicks.rows
        columns = pl.DataFrame([events.extra[name].gather(rows) for name in click_columns(config.events)])
        label = config.events.columns.label
        return cls(
            items=NO_TABLE if config.items is None else read_item_table(config.items, catalogued.item_ids),
            users=NO_TABLE if config.users is None else read_user_table(config.users, catalogued.user_ids),
            labels=None if label is None else labels_of(columns[label]),
            clicks=click_features(config.events, columns, trains),
        )

    def warnings(self) -> tuple[str, ...]:
        refused = 0 if self.labels is None else int((self.labels == 0).sum())
        told = (
            f"{refused:,} rows have the label 0: the ranker learns what that means, but the retriever learns, and is "
            "tested, on every row as a click; leave them out with data.events.keep where that is not wanted"
        )
        return (*self.items.warnings, *self.users.warnings, *([told] if refused else []))

    def save(self, directory: Path) -> None:
        self.items.features.save(directory)
        self.users.features.save(directory, "user")
        self.clicks.save(directory)
        if self.items.titles is not None:
            self.items.titles.save(directory)
        if self.labels is not None:
            np.save(directory / LABELS, self.labels)


def prepare(
    config: DataConfig, directory: Path, *, seed: int, tell: Callable[[str], None] = lambda _: None
) -> DataReport:
    """Replaces the directory, whole, by the dataset made of the log.

    A log that cannot be used leaves only its report and its rejected rows, in `dataset.refused` beside the directory.
    """
    tell(f"reading {config.events.path}")
    column = [config.split.column] if isinstance(config.split, ByColumnConfig) else []
    events = read_events(config.events, list(dict.fromkeys([*column, *click_columns(config.events)])))
    tell(f"sorting {len(events):,} clicks")
    distinct = without_duplicates(sort_clicks(events.users, events.items, events.times))
    cuts = _cuts(config.split, distinct)
    clicks = without_rare(distinct, config.events.min_clicks, test_from=None if cuts is None else cuts.test)
    report = describe(events, len(distinct), clicks, config.events.time_kind)
    try:
        require_events(events, config.events)
        catalogued = _catalogue(events, clicks)
        split = _split(config.split, cuts, events, catalogued, seed)
        tables = Tables.of(config, events, catalogued, split.in_training(catalogued.histories))
        _require_targets(config, catalogued.histories, split)
    except DataError as error:
        _refuse(directory.with_name(REFUSED), report, events.rejected)
        raise DataError(f"{error} (the report is in {directory.with_name(REFUSED)})") from error
    tell(f"writing {directory}")
    shutil.rmtree(directory.with_name(REFUSED), ignore_errors=True)
    with replaced_directory(directory) as temporary:
        report = _write(temporary, config, catalogued, tables, split, report)
        events.rejected.write_parquet(temporary / REJECTED)
        DatasetManifest.of(temporary, split=config.split.kind, time_kind=config.events.time_kind).save(temporary)
    return report


def fingerprint_inputs(config: DataConfig) -> str:
    """Of the contents of every file that `prepare` would read; DataError where one is missing."""
    files = find_files(config.events.path, "data.events.path")
    parts = [sha256_of(file) for file in files]
    for name, table in (("items", config.items), ("users", config.users)):
        tables = [] if table is None else find_files(table.path, f"data.{name}.path")
        parts += [name, *map(sha256_of, tables)]
    return fingerprint(*parts)


def _catalogue(events: Events, clicks: Clicks) -> Catalogued:
    if len(clicks) == 0:
        raise DataError("no click is left: data.events.min_clicks asks for more clicks than any item or user has")
    users, user_ids = _dense(clicks.users, events.user_ids)
    items, item_ids = _dense(clicks.items, events.item_ids)
    return Catalogued(replace(clicks, users=users, items=items), user_ids, item_ids)


def _dense(codes: NDArray[np.int32], ids: pl.Series) -> tuple[NDArray[np.int32], pl.Series]:
    used = np.zeros(len(ids) + 1, dtype=bool)
    used[codes] = True
    index = np.cumsum(used, dtype=np.int32)
    return index[codes], ids.filter(pl.Series(used[1:]))


def _cuts(config: SplitConfig, clicks: Clicks) -> Cuts | None:
    """Known before rare items leave, so that no test click has a say in which items are rare."""
    if not isinstance(config, ByTimeConfig) or len(clicks) == 0:
        return None
    return Cuts.of(clicks.times, test_share=config.test_share, validation_share=config.validation_share)


def _split(config: SplitConfig, cuts: Cuts | None, events: Events, catalogued: Catalogued, seed: int) -> Split:
    histories = catalogued.histories
    match config:
        case LeaveLastOutConfig():
            return split_leave_last_out(histories)
        case ByTimeConfig():
            assert cuts is not None
            return split_by_time(histories, cuts)
        case ByColumnConfig():
            testing = _testing_users(config, events.extra[config.column], catalogued, histories)
            return split_by_users(histories, testing=testing, validation_share=config.validation_share, seed=seed)


def _testing_users(
    config: ByColumnConfig, column: pl.Series, catalogued: Catalogued, histories: Histories
) -> NDArray[np.bool_]:
    is_value = np.zeros(len(column), dtype=bool)
    for value in config.test_values:
        condition = RowFilter(column=config.column, operator="==", value=value)
        is_value |= holds(column, condition, "data.split.test_values").to_numpy()
    is_test = is_value[catalogued.clicks.rows]
    test_clicks = np.bincount(catalogued.clicks.users, weights=is_test, minlength=histories.num_users + 1)
    testing: NDArray[np.bool_] = test_clicks > 0
    torn = np.flatnonzero(testing & (test_clicks < histories.lengths))
    if len(torn):
        raise DataError(
            f"data.split.column {config.column!r} must put whole users into train or test, and {len(torn):,} users "
            f"have clicks of both, such as {catalogued.user_ids[int(torn[0]) - 1]!r}"
        )
    if not testing.any():
        found = ", ".join(map(repr, column.unique().sort().head(5).to_list()))
        raise DataError(
            f"no click has one of data.split.test_values {list(config.test_values)} in {config.column!r}; found {found}"
        )
    return testing


def _require_targets(config: DataConfig, histories: Histories, split: Split) -> None:
    """DataError unless somebody trains and somebody tests."""
    lengths = histories.lengths[1:]
    if lengths.max() < 2:
        raise DataError(
            f"every user is too short: the longest of {len(lengths):,} histories has 1 click, and learning what "
            f"follows a click takes 2; check data.events.columns.user"
        )
    trains = (np.asarray(split.train_end) - np.asarray(histories.offsets[:-1])).max() >= 2
    if not trains or len(split.test(histories)) == 0:
        part = "test" if trains else "training"
        raise DataError(
            f"the split {config.split.kind} leaves nothing in the {part} part: no user has enough clicks there "
            f"(the longest history has {lengths.max():,}); give a longer log or another data.split"
        )
    ranked = histories.items if config.split.kind == ALL_ITEMS else histories.items[split.in_training(histories)]
    num_ranked = np.count_nonzero(np.bincount(ranked))
    if num_ranked < 2:
        raise DataError(
            f"a ranking needs two items or more, and there is {num_ranked} to rank "
            f"under the split {config.split.kind}: check data.events.columns.item, or give a longer log"
        )


def _write(
    directory: Path, config: DataConfig, catalogued: Catalogued, tables: Tables, split: Split, report: DataReport
) -> DataReport:
    histories = catalogued.histories
    histories.save(directory)
    split.save(directory)
    vocabulary_of(catalogued.user_ids).save(directory, USERS)
    vocabulary_of(catalogued.item_ids).save(directory, ITEMS)
    trained = np.zeros(len(catalogued.item_ids) + 1, dtype=bool)
    in_training = split.in_training(histories)
    trained[histories.items[in_training]] = True
    candidates = np.ones_like(trained) if config.split.kind == ALL_ITEMS else trained.copy()
    candidates[0] = False
    np.save(directory / "trained_items.npy", trained)
    np.save(directory / "candidates.npy", candidates)
    tables.save(directory)
    report = report.with_facts(
        item_table_rows=tables.items.rows,
        items_in_table=tables.items.matched,
        user_table_rows=tables.users.rows,
        users_in_table=tables.users.matched,
        warnings=(*report.warnings, *tables.warnings()),
        training_clicks=int(in_training.sum()),
        training_items=int(trained.sum()),
        validation_users=len(split.validation(histories)),
        test_users=len(split.test(histories)),
    )
    (directory / REPORT).write_bytes(json_bytes(report.model_dump(mode="json")))
    return report


def _refuse(directory: Path, report: DataReport, rejected: pl.DataFrame) -> None:
    with replaced_directory(directory) as temporary:
        (temporary / REPORT).write_bytes(json_bytes(report.model_dump(mode="json")))
        rejected.write_parquet(temporary / REJECTED)
