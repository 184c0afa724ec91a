"""Times of any make to int64: microseconds since 1970, or plain numbers where only the order means something."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from recsys.data.events.config import TimeKind, TimeUnit
from recsys.errors import DataError

MICROSECONDS: dict[TimeUnit, float] = {
    "d": 86_400e6, "h": 3_600e6, "min": 60e6, "s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3,
}  # fmt: skip
EARLIEST = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp() * 1e6)
LATEST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1e6)
A_DAY = 86_400_000_000
LARGEST = 2**62
WITH_ZONE = r"(Z|[+-]\d{2}:?\d{2})$"
ZONED = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z")
NAIVE = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M")


@dataclass(frozen=True)
class Times:
    """[rows] times, null where there is none to be had, and [rows] why not, null elsewhere."""

    values: pl.Series
    faults: pl.Series


def parse_times(raw: pl.Series, kind: TimeKind, unit: TimeUnit) -> Times:
    """Numbers count units, since 1970 if `calendar`; dates and ISO 8601 texts need no unit, and are UTC if bare."""
    parsed = _parse(raw, kind, unit)
    fault = (
        pl.when(raw.is_null() | (raw.cast(pl.String) == "")).then(pl.lit(f"{raw.name} is missing"))
        .when(parsed.is_null()).then(pl.lit(f"{raw.name} is not a time"))
    )  # fmt: skip
    if kind == "calendar":
        tomorrow = time.time_ns() // 1000 + A_DAY
        fault = (
            fault.when((parsed < EARLIEST) | (parsed >= LATEST)).then(pl.lit(f"{raw.name} is outside 1990-2100"))
            .when(parsed > tomorrow).then(pl.lit(f"{raw.name} is in the future"))
        )  # fmt: skip
    return Times(parsed, pl.select(fault.otherwise(pl.lit(None, pl.String))).to_series())


def better_unit(raw: pl.Series, unit: TimeUnit) -> TimeUnit | None:
    """The unit under which most numbers would lie in 1990-2100, where `unit` is not the one."""
    sample = raw.head(10_000)
    for other in MICROSECONDS:
        values = _parse(sample, "calendar", other)
        if other != unit and values.is_between(EARLIEST, LATEST).sum() > len(sample) / 2:
            return other
    return None


def _parse(raw: pl.Series, kind: TimeKind, unit: TimeUnit) -> pl.Series:
    factor = None if kind == "order" else MICROSECONDS[unit]
    match raw.dtype:
        case pl.Date() | pl.Datetime():
            return raw.cast(pl.Datetime("us")).to_physical()
        case pl.String():
            as_number = _scaled(raw.cast(pl.Int64, strict=False), factor)
            if as_number.null_count() > raw.null_count():
                as_number = as_number.fill_null(_scaled(_decimal(raw), factor))
            if as_number.null_count() > raw.null_count():
                as_number = as_number.fill_null(_iso(raw))
            return as_number
        case kind_of if kind_of.is_numeric():
            return _scaled(raw, factor)
        case pl.Null():
            return raw.cast(pl.Int64)
    raise DataError(f"the column {raw.name!r} is {raw.dtype}; times are numbers, dates or ISO 8601 texts")


def _scaled(raw: pl.Series, factor: float | None) -> pl.Series:
    """Times the factor, whole, or the numbers' order without one; null where that is no time."""
    if raw.dtype.is_integer() and (factor is None or factor >= 1.0):
        limit = int(LARGEST // (factor or 1.0))
        return raw.cast(pl.Int64, strict=False).set(~raw.is_between(-limit, limit), None) * int(factor or 1.0)
    decimal = raw.cast(pl.Float64, strict=False)
    scaled = decimal * (factor or 1.0)
    usable = (scaled.is_finite() & (scaled.abs() < LARGEST)).fill_null(False)
    scaled = scaled.set(~usable, None)
    if factor is None and not (scaled == scaled.round()).all():
        return scaled.rank("dense").cast(pl.Int64)
    return scaled.round().cast(pl.Int64, strict=False)


def _decimal(raw: pl.Series) -> pl.Series:
    return raw.cast(pl.Float64, strict=False)


def _iso(raw: pl.Series) -> pl.Series:
    text = raw.str.strip_chars().str.replace(" ", "T")
    zoned = text.set(~text.str.contains(WITH_ZONE).fill_null(False), None)
    moments = [zoned.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False) for form in ZONED]
    naive = [text.str.to_datetime(form, time_unit="us", strict=False).dt.replace_time_zone("UTC") for form in NAIVE]
    dates = text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    best = pl.select(pl.coalesce([*moments, *naive, dates])).to_series()
    return best.to_physical().rename(raw.name)
