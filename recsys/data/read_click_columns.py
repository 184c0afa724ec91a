"""Columns of the log to what each click carries, in the order of the histories."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.data.categorical import feature_of
from recsys.data.click_columns import ClickFeature, ClickFeatures
from recsys.data.events.config import EventsConfig
from recsys.data.feature_column import EventColumn
from recsys.data.feature_table import dense_values
from recsys.errors import DataError

TRUTH = {"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "false": 0}


def click_columns(config: EventsConfig) -> list[str]:
    """The columns of the log that are read for it."""
    label = [] if config.columns.label is None else [config.columns.label]
    return list(dict.fromkeys([*label, *(feature.column for feature in config.features)]))


def labels_of(raw: pl.Series) -> NDArray[np.uint8]:
    """[clicks] 0 or 1; DataError where a label is neither."""
    labels = raw.cast(pl.String).str.to_lowercase().replace_strict(TRUTH, default=None, return_dtype=pl.UInt8)
    strange = raw.filter(labels.is_null())
    if len(strange):
        found = ", ".join(map(repr, strange.unique(maintain_order=True).head(3).to_list()))
        raise DataError(
            f"data.events.columns.label: a label is 0 or 1 (or false or true), and {len(strange):,} of {len(raw):,} "
            f"in {raw.name!r} are something else, such as {found}"
        )
    return labels.to_numpy()


def click_features(config: EventsConfig, columns: pl.DataFrame, trains: NDArray[np.bool_]) -> ClickFeatures:
    """`columns` of the log, one row a click; numbers are cut by the clicks that train."""
    cut_by = pl.Series(trains)
    return ClickFeatures(_click_feature(columns[feature.column], feature, cut_by) for feature in config.features)


def _click_feature(raw: pl.Series, column: EventColumn, cut_by: pl.Series) -> ClickFeature:
    rows = pl.Series(np.arange(len(raw)))
    feature = feature_of(rows, raw, column, num_rows=len(raw), key="data.events.features", cut_by=cut_by)
    return ClickFeature(feature.name, column.is_context, feature.num_values, dense_values(feature), feature.labels)
