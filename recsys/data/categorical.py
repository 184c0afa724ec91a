"""A column of any type to a categorical feature: values as numbers from 1, and what each is called."""

import numpy as np
import polars as pl

from recsys.data.buckets import bucket_names
from recsys.data.events.ids import texts_of
from recsys.data.feature_column import CategoricalColumn
from recsys.data.feature_table import Feature
from recsys.errors import DataError

ROW = "\0row"


def feature_of(
    rows: pl.Series,
    values: pl.Series,
    column: CategoricalColumn,
    *,
    num_rows: int,
    key: str,
    cut_by: pl.Series | None = None,
) -> Feature:
    """`values` of some `rows` from 0 to num_rows - 1; the other rows have none. `key` is the configuration's.

    `cut_by` says by which of them numbers are cut into buckets; by all where there is none.
    """
    every = pl.repeat(True, len(values), eager=True)
    pairs = _pairs(rows.alias(ROW), values, column, key, every if cut_by is None else cut_by)
    labels = pairs["label"].unique().sort()
    numbers = pl.DataFrame({"label": labels}).with_row_index("value", offset=1)
    sorted_pairs = pairs.join(numbers, on="label").sort(ROW, "value")
    counts = np.bincount(sorted_pairs[ROW].to_numpy(), minlength=num_rows)
    return Feature(
        name=column.column,
        is_input=True,
        num_values=len(labels) + 1,
        values=sorted_pairs["value"].cast(pl.Int32).to_numpy(),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        labels=texts_of(labels),
    )


def _pairs(rows: pl.Series, values: pl.Series, column: CategoricalColumn, key: str, cut_by: pl.Series) -> pl.DataFrame:
    """Each row with each of its labels, once."""
    if column.buckets is not None:
        values = _bucketed(values, column.buckets, key, cut_by)
    is_list = isinstance(values.dtype, pl.List | pl.Array)
    if column.separator is not None and not is_list:
        values, is_list = values.cast(pl.String).str.split(column.separator), True
    pairs = pl.DataFrame({ROW: rows, "label": values})
    if is_list:
        pairs = pairs.explode("label")
    kind = pairs.schema["label"]
    if kind.is_nested() or kind == pl.Binary:
        raise DataError(
            f"{key}: the column {column.column!r} is {values.dtype}; "
            f"a categorical feature is text, a number, or a list of them"
        )
    if kind.is_float():  # what is no number is no value
        pairs = pairs.filter(pl.col("label").is_finite())
    pairs = pairs.cast({"label": pl.String})
    return pairs.filter(pl.col("label").is_not_null() & (pl.col("label") != "")).unique(maintain_order=True)


def _bucketed(values: pl.Series, buckets: int, key: str, cut_by: pl.Series) -> pl.Series:
    """Numbers as the stretch between two quantiles, of those that it is `cut_by`, in which each lies; null for none."""
    given = values.replace("", None) if values.dtype == pl.String else values
    if given.dtype.is_nested():
        raise DataError(f"{key}: {values.name!r} is {values.dtype}, and only a column of numbers is cut into buckets")
    numbers = given.cast(pl.Float64, strict=False)
    strange = given.filter(numbers.is_null() & given.is_not_null())
    if len(strange):
        raise DataError(f"{key}: {values.name!r} is to be cut into buckets, and {strange[0]!r} is no number")
    finite = numbers.filter(numbers.is_finite().fill_null(False) & cut_by).to_numpy()
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, buckets + 1))) if len(finite) else np.zeros(1)
    names = pl.Series(bucket_names(edges.tolist()))
    places = np.searchsorted(edges[1:-1], numbers.fill_null(np.nan).to_numpy(), side="right")
    return pl.select(
        pl.when(numbers.is_finite().fill_null(False)).then(names.gather(places)).otherwise(None)
    ).to_series()
