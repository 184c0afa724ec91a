"""The item table to titles and features of the catalogue's items."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from recsys.data.events.ids import texts_of, whole_numbers
from recsys.data.events.table import Tables, read_tables
from recsys.data.features_config import FeatureColumn, ItemTableConfig
from recsys.data.item_features import ItemFeature, ItemFeatures
from recsys.data.titles import Titles
from recsys.data.vocabulary import INTEGER
from recsys.errors import DataError

INDEX = "\0item index"


@dataclass(frozen=True)
class ItemTable:
    """`matched` of the catalogue's items are in the table, which has `rows` rows."""

    titles: Titles | None
    features: ItemFeatures
    rows: int
    matched: int
    warnings: tuple[str, ...] = ()


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
        warnings=(*tables.warnings, *_warnings(tables, config, rows.height)),
    )


def _warnings(tables: Tables, config: ItemTableConfig, matched: int) -> Iterator[str]:
    for file, row, reason, _ in tables.broken.head(1).rows():
        yield f"{tables.broken.height:,} rows of the item table are left out, such as row {row} of {file}: {reason}"
    if matched == 0:
        yield f"no item of the log is in the item table {config.path}"


def _ids_like(tables: Tables, config: ItemTableConfig, item_ids: pl.Series) -> pl.Series:
    """The table's ids in the log's type; DataError where they are of another."""
    raw = tables.frame[config.item]
    file, wanted = tables.files[0], item_ids.dtype
    if raw.dtype == pl.String and wanted.is_integer() and tables.is_text:
        found = raw.drop_nulls()
        strange = found.filter(~found.str.contains(f"^{INTEGER}$"))
        if strange.is_empty():
            return raw.cast(wanted, strict=False)
        raise _other_type(file.name, config.item, f"text such as {strange[0]!r}", str(wanted))
    if raw.dtype.is_integer() and wanted.is_integer():
        return whole_numbers(raw).cast(wanted, strict=False)
    if raw.dtype != wanted:
        raise _other_type(file.name, config.item, str(raw.dtype), str(wanted))
    return raw


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


def _pairs(rows: pl.DataFrame, feature: FeatureColumn) -> pl.DataFrame:
    """Each item with each of its labels, once."""
    values = rows[feature.column]
    is_list = isinstance(values.dtype, pl.List | pl.Array)
    if feature.separator is not None and not is_list:
        values, is_list = values.cast(pl.String).str.split(feature.separator), True
    pairs = pl.DataFrame({INDEX: rows[INDEX], "label": values})
    if is_list:
        pairs = pairs.explode("label")
    kind = pairs.schema["label"]
    if kind.is_nested() or kind == pl.Binary:
        raise DataError(
            f"data.items.features: the column {feature.column!r} is {values.dtype}; "
            f"a categorical feature is text, a number, or a list of them"
        )
    if kind.is_float():  # what is no number is no value
        pairs = pairs.filter(pl.col("label").is_finite())
    pairs = pairs.cast({"label": pl.String})
    return pairs.filter(pl.col("label").is_not_null() & (pl.col("label") != "")).unique(maintain_order=True)


def _feature(rows: pl.DataFrame, feature: FeatureColumn, num_items: int) -> ItemFeature:
    pairs = _pairs(rows, feature)
    labels = pairs["label"].unique().sort()
    numbers = pl.DataFrame({"label": labels}).with_row_index("value", offset=1)
    sorted_pairs = pairs.join(numbers, on="label").sort(INDEX, "value")
    counts = np.bincount(sorted_pairs[INDEX].to_numpy(), minlength=num_items + 1)
    return ItemFeature(
        name=feature.column,
        is_input=feature.is_input,
        num_values=len(labels) + 1,
        values=sorted_pairs["value"].cast(pl.Int32).to_numpy(),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        labels=texts_of(labels),
    )
