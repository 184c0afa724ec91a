"""Times of any make to int64: microseconds since 1970, or plain numbers where only the order means something."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.data.events.config import TimeKind, TimeUnit
from recsys.errors import DataError

MICROSECONDS: dict[TimeUnit, float] = {
    "d": 86_400e6, "h": 3_600e6, "min": 60e6, "s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3,
}  # fmt: skip
EARLIEST = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp() * 1e6)
LATEST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1e6)
OUTSIDE = "is outside 1990-2100"
A_DAY = 86_400_000_000
LARGEST = 2**62
WITH_ZONE = r"(Z|[+-]\d{2}:?\d{2})$"
ZONED = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z")
NAIVE = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M")


@dataclass(frozen=True)
class Times:
    """[rows] times as int64, null where there is none to be had; numbers too large for one are +-LARGEST."""

    raw: pl.Series
    parsed: pl.Series
    earliest: int
    latest: int

    @property
    def usable(self) -> NDArray[np.bool_]:
        """[rows] whether the time breaks no rule."""
        return self.parsed.is_between(self.earliest, self.latest).fill_null(False).to_numpy()

    def values(self, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Of chosen rows, all of them usable."""
        return self.parsed.filter(pl.Series(rows)).to_numpy()

    def faults(self, rows: pl.Series) -> pl.Series:
        """Of chosen rows: why the time is not usable; null where it is."""
        name = self.raw.name
        raw, parsed = self.raw.gather(rows), pl.lit(self.parsed.gather(rows))
        missing = raw.is_null() | (raw == "") if raw.dtype == pl.String else raw.is_null()
        beyond = OUTSIDE if self.earliest == EARLIEST else "is too large"
        return pl.select(
            pl.when(missing).then(pl.lit(f"{name} is missing"))
            .when(parsed.is_null()).then(pl.lit(f"{name} is not a time"))
            .when(parsed.is_between(self.latest + 1, LATEST - 1)).then(pl.lit(f"{name} is in the future"))
            .when(~parsed.is_between(self.earliest, self.latest)).then(pl.lit(f"{name} {beyond}"))
        ).to_series()  # fmt: skip


def parse_times(raw: pl.Series, kind: TimeKind, unit: TimeUnit) -> Times:
    """Numbers count units, since 1970 if `calendar`; dates and ISO 8601 texts need no unit, and are UTC if bare."""
    parsed = _parse(raw, kind, unit)
    if kind == "calendar":
        return Times(raw, parsed, EARLIEST, min(LATEST - 1, time.time_ns() // 1000 + A_DAY))
    return Times(raw, parsed, 1 - LARGEST, LARGEST - 1)


def better_unit(raw: pl.Series, unit: TimeUnit) -> TimeUnit | None:
    """The unit under which most numbers would lie in 1990-2100, where `unit` is not the one."""
    sample = raw.drop_nulls().head(10_000)
    for other in MICROSECONDS:
        values = _parse(sample, "calendar", other)
        if other != unit and values.is_between(EARLIEST, LATEST - 1).sum() > len(sample) / 2:
            return other
    return None


def _parse(raw: pl.Series, kind: TimeKind, unit: TimeUnit) -> pl.Series:
    factor = None if kind == "order" else MICROSECONDS[unit]
    match raw.dtype:
        case pl.Date() | pl.Datetime():
            return raw.cast(pl.Datetime("us")).to_physical().cast(pl.Int64)
        case pl.String():
            return _parse_text(raw, factor)
        case kind_of if kind_of.is_integer():
            return _scaled_integers(raw, factor)
        case kind_of if kind_of.is_numeric():
            return _scaled_decimals(raw.cast(pl.Float64), factor)
        case pl.Null():
            return raw.cast(pl.Int64)
    raise DataError(f"the column {raw.name!r} is {raw.dtype}; times are numbers, dates or ISO 8601 texts")


def _parse_text(raw: pl.Series, factor: float | None) -> pl.Series:
    integers = raw.cast(pl.Int64, strict=False)
    missing = raw.null_count()
    if integers.null_count() == missing:
        return _scaled_integers(integers, factor)
    times = _scaled_decimals(raw.cast(pl.Float64, strict=False), factor)
    if factor is not None or times.null_count() == integers.null_count():
        # whole numbers stay exact, unless there are decimals without a factor: then all are ranked together
        times = _scaled_integers(integers, factor).fill_null(times)
    return times if times.null_count() == missing else times.fill_null(_parse_iso(raw))


def _scaled_integers(raw: pl.Series, factor: float | None) -> pl.Series:
    """Whole units to microseconds."""
    is_wide = raw.dtype in (pl.UInt64, pl.UInt128, pl.Int128)
    fitting = (raw.cast(pl.Int128).clip(-LARGEST, LARGEST) if is_wide else raw).cast(pl.Int64)
    if factor is not None and factor < 1.0:
        return fitting // round(1.0 / factor)
    whole = int(factor or 1.0)
    limit = LARGEST // whole
    beyond = ~fitting.is_between(-limit, limit)
    return (fitting.clip(-limit, limit) * whole).set(beyond.fill_null(False), LARGEST)


def _scaled_decimals(decimals: pl.Series, factor: float | None) -> pl.Series:
    """Units to microseconds; without a factor, whole numbers as they are and others as their ranks."""
    finite = decimals.set((~decimals.is_finite()).fill_null(False), None)
    if factor is None and not (finite == finite.round()).all():
        return finite.rank("dense").cast(pl.Int64)
    return (finite * (factor or 1.0)).clip(-LARGEST, LARGEST).round().cast(pl.Int64)


def _parse_iso(raw: pl.Series) -> pl.Series:
    text = raw.str.strip_chars().str.replace(" ", "T")
    zoned = text.set(~text.str.contains(WITH_ZONE).fill_null(False), None)
    moments = [zoned.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False) for form in ZONED]
    naive = [text.str.to_datetime(form, time_unit="us", strict=False).dt.replace_time_zone("UTC") for form in NAIVE]
    dates = text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    best = pl.select(pl.coalesce([*moments, *naive, dates])).to_series()
    return best.to_physical().rename(raw.name)
