"""The item table to titles and features of the catalogue's items."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from recsys.data.events.files import format_of
from recsys.data.events.ids import CANONICAL, texts_of
from recsys.data.events.table import Tables, read_tables
from recsys.data.features_config import FeatureColumn, ItemTableConfig
from recsys.data.item_features import ItemFeature, ItemFeatures
from recsys.data.titles import Titles
from recsys.errors import DataError

INDEX = "index"


@dataclass(frozen=True)
class ItemTable:
    """`matched` of the catalogue's items are in the table, which has `rows` rows."""

    titles: Titles | None
    features: ItemFeatures
    rows: int
    matched: int


NO_TABLE = ItemTable(None, ItemFeatures(), 0, 0)


def read_item_table(config: ItemTableConfig, item_ids: pl.Series) -> ItemTable:
    """What the table says of `item_ids`, the catalogue in index order; of an id's rows the first counts."""
    names = [feature.column for feature in config.features]
    columns = [config.item, *([config.title] if config.title else []), *names]
    tables = read_tables(config, columns, "data.items.path")
    ids = _ids_like(tables, config, item_ids)
    catalogue = pl.DataFrame({config.item: item_ids}).with_row_index(INDEX, offset=1)
    table = tables.frame.with_columns(ids.alias(config.item)).unique(config.item, keep="first", maintain_order=True)
    rows = catalogue.join(table, on=config.item, how="inner", maintain_order="left")
    return ItemTable(
        titles=_titles(rows, config.title, len(item_ids)) if config.title else None,
        features=ItemFeatures(_feature(rows, feature, len(item_ids)) for feature in config.features),
        rows=tables.frame.height,
        matched=rows.height,
    )


def _ids_like(tables: Tables, config: ItemTableConfig, item_ids: pl.Series) -> pl.Series:
    """The table's ids in the log's type; DataError where they are of another."""
    raw = tables.frame[config.item]
    file, wanted = tables.files[0], item_ids.dtype
    is_text = format_of(file, config.format) == "csv"
    if raw.dtype == pl.String and wanted.is_integer() and is_text:
        found = raw.drop_nulls()
        strange = found.filter(~found.str.contains(CANONICAL))
        if strange.is_empty():
            return raw.cast(wanted, strict=False)
        raise _other_type(file.name, config.item, f"text such as {strange[0]!r}", str(wanted))
    same = raw.dtype == wanted or (raw.dtype.is_integer() and wanted.is_integer())
    if not same:
        raise _other_type(file.name, config.item, str(raw.dtype), str(wanted))
    return raw.cast(wanted, strict=False)


def _other_type(file: str, column: str, found: str, wanted: str) -> DataError:
    return DataError(
        f"data.items: the ids in {column!r} of {file} are {found}, and the log's item ids are {wanted}; "
        f"write both in one type, since an id never matches one of another type"
    )


def _titles(rows: pl.DataFrame, column: str, num_items: int) -> Titles:
    given = rows.select(INDEX, pl.col(column).cast(pl.String))
    whole = pl.DataFrame({INDEX: pl.Series(np.arange(num_items + 1), dtype=pl.get_index_type())})
    joined = whole.join(given, on=INDEX, how="left", maintain_order="left")
    return Titles(texts_of(joined[column].fill_null("")))


def _feature(rows: pl.DataFrame, feature: FeatureColumn, num_items: int) -> ItemFeature:
    values = rows[feature.column]
    if feature.separator is not None:
        values = values.cast(pl.String).str.split(feature.separator)
    if not isinstance(values.dtype, pl.List | pl.Array):
        values = values.cast(pl.String).cast(pl.List(pl.String))
    pairs = (
        pl.DataFrame({INDEX: rows[INDEX], "label": values.cast(pl.List(pl.String))})
        .explode("label")
        .filter(pl.col("label").is_not_null() & (pl.col("label") != ""))
        .unique(maintain_order=True)
    )
    labels = pairs["label"].unique().sort()
    numbers = pl.DataFrame({"label": labels}).with_row_index("value", offset=1)
    sorted_pairs = pairs.join(numbers, on="label").sort(INDEX, "value")
    counts = np.bincount(sorted_pairs[INDEX].to_numpy(), minlength=num_items + 1)
    return ItemFeature(
        name=feature.column,
        num_values=len(labels) + 1,
        values=sorted_pairs["value"].cast(pl.Int32).to_numpy(),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        labels=texts_of(labels),
    )
