"""Moments as callers give them, in the microseconds of a log."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from recsys.errors import DataError

Moment = datetime | float
"""A datetime (UTC if it names no zone), or seconds: since 1970, or since the zero of a log that has no calendar."""


def ticks_of(moments: Sequence[Moment]) -> NDArray[np.int64]:
    """[len(moments)] microseconds; DataError where one is no moment."""
    return np.array([_ticks(moment) for moment in moments], dtype=np.int64)


def _ticks(moment: Moment) -> int:
    seconds = _seconds(moment)
    if seconds is None or not math.isfinite(seconds) or abs(seconds) > 1e12:
        raise DataError(f"a time is a datetime or a number of seconds, got {moment!r}")
    return round(seconds * 1e6)


def _seconds(moment: Moment) -> float | None:
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    is_number = isinstance(moment, int | float | np.integer | np.floating) and not isinstance(moment, bool)
    return float(moment) if is_number else None
