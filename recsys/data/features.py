"""The item table and the user table, as far as they speak of the log's items and users."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from recsys.data.categorical import feature_of
from recsys.data.events.ids import texts_of, whole_numbers
from recsys.data.events.table import Tables, read_tables
from recsys.data.feature_column import FeatureColumn
from recsys.data.feature_table import Feature, Features, Owner
from recsys.data.features_config import ItemTableConfig, TableOfIds, UserTableConfig
from recsys.data.titles import Titles
from recsys.data.vocabulary import INTEGER
from recsys.errors import DataError

INDEX = "\0index"


@dataclass(frozen=True)
class IdTable:
    """`matched` of the log's ids are in the table, which has `rows` rows."""

    titles: Titles | None
    features: Features
    rows: int
    matched: int
    warnings: tuple[str, ...] = ()


NO_TABLE = IdTable(None, Features(), 0, 0)


def read_item_table(config: ItemTableConfig, item_ids: pl.Series) -> IdTable:
    """What the table says of `item_ids`, the catalogue in index order; of an id's rows the first counts."""
    rows, table = _read(config, config.item, item_ids, "item", [config.title] if config.title else [])
    titles = _titles(rows, config.title, len(item_ids)) if config.title else None
    return IdTable(titles, table.features, table.rows, table.matched, table.warnings)


def read_user_table(config: UserTableConfig, user_ids: pl.Series) -> IdTable:
    """The same of `user_ids`, the users in index order."""
    return _read(config, config.user, user_ids, "user", [])[1]


def _read(
    config: TableOfIds, id_column: str, log_ids: pl.Series, owner: Owner, others: Sequence[str]
) -> tuple[pl.DataFrame, IdTable]:
    """The table's rows of ids in the log, by INDEX, and what they say."""
    key, names = f"data.{owner}s", [feature.column for feature in config.features]
    tables = read_tables(config, [id_column, *others, *names], f"{key}.path")
    ids = _ids_like(tables, id_column, log_ids, key)
    known = pl.DataFrame({id_column: log_ids}).with_row_index(INDEX, offset=1)
    every = tables.frame.with_columns(ids.alias(id_column))
    table = every.unique(id_column, keep="first", maintain_order=True)
    rows = known.join(table, on=id_column, how="inner", maintain_order="left")
    features = Features(_feature(rows, column, len(log_ids) + 1, f"{key}.features") for column in config.features)
    warnings = (*tables.warnings, *_warnings(tables, config, owner, rows.height, every.height - table.height))
    return rows, IdTable(None, features, tables.frame.height, rows.height, warnings)


def _feature(rows: pl.DataFrame, column: FeatureColumn, num_rows: int, key: str) -> Feature:
    feature = feature_of(rows[INDEX], rows[column.column], column, num_rows=num_rows, key=key)
    return replace(feature, is_input=column.is_input)


def _warnings(tables: Tables, config: TableOfIds, owner: Owner, matched: int, repeated: int) -> Iterator[str]:
    for file, row, reason, _ in tables.broken.head(1).rows():
        yield f"{tables.broken.height:,} rows of the {owner} table are left out, such as row {row} of {file}: {reason}"
    if matched == 0:
        yield f"no {owner} of the log is in the {owner} table {config.path}"
    if repeated:
        yield f"{repeated:,} rows of the {owner} table repeat an id; the first row of an id counts"


def _ids_like(tables: Tables, column: str, log_ids: pl.Series, key: str) -> pl.Series:
    """The table's ids in the log's type; DataError where they are of another."""
    raw = tables.frame[column]
    file, wanted = tables.files[0], log_ids.dtype
    if raw.dtype == pl.String and wanted.is_integer() and tables.is_text:
        found = raw.drop_nulls()
        strange = found.filter(~found.str.contains(f"^{INTEGER}$"))
        if strange.is_empty():
            return raw.cast(wanted, strict=False)
        raise _other_type(file.name, column, f"text such as {strange[0]!r}", str(wanted), key)
    if raw.dtype.is_integer() and wanted.is_integer():
        return whole_numbers(raw).cast(wanted, strict=False)
    if raw.dtype != wanted:
        raise _other_type(file.name, column, str(raw.dtype), str(wanted), key)
    return raw


def _other_type(file: str, column: str, found: str, wanted: str, key: str) -> DataError:
    return DataError(
        f"{key}: the ids in {column!r} of {file} are {found}, and the log's {key[5:-1]} ids are {wanted}; "
        f"write both in one type, since an id never matches one of another type"
    )


def _titles(rows: pl.DataFrame, column: str, num_items: int) -> Titles:
    given = rows.select(INDEX, pl.col(column).cast(pl.String))
    whole = pl.DataFrame({INDEX: pl.Series(np.arange(num_items + 1), dtype=pl.get_index_type())})
    joined = whole.join(given, on=INDEX, how="left", maintain_order="left")
    return Titles(texts_of(joined[column].fill_null("")))
