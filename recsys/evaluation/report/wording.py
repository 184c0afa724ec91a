"""How numbers are written on the page; what is no number is never written as one."""

import math

from recsys.evaluation.outcome import TITLES, Estimate

ABSENT = "n/a"


def metric(value: float | None) -> str:
    return _written(value, ".4f")


def signed(value: float | None) -> str:
    return _written(value, "+.4f")


def rounded(value: float | None) -> str:
    return _written(value, ",.1f")


def cosine(value: float | None) -> str:
    return _written(value, ".3f")


def percent(value: float | None) -> str:
    return _written(value, ".0%")


def share(value: float | None) -> str:
    return _written(value, ".1%")


def p_value(value: float | None) -> str:
    if value is not None and value < 0.001:
        return "< 0.001"
    return _written(value, ".3f")


def interval(estimate: Estimate) -> str:
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return ABSENT
    return f"{metric(estimate.low)} to {metric(estimate.high)}"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def system_title(system: str) -> str:
    return TITLES.get(system, system)


def _written(value: float | None, form: str) -> str:
    return ABSENT if value is None or not math.isfinite(value) else format(value, form)
