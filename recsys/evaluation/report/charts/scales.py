"""From values to places on paper, and the round values to write beside an axis."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Scale:
    """Linear: `low` lies at `start` and `high` at `end`, which may be the smaller one."""

    low: float
    high: float
    start: float
    end: float
    step: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    @property
    def ticks(self) -> tuple[float, ...]:
        """Multiples of the step, from the low end to the high one."""
        first, last = round(self.low / self.step), round(self.high / self.step)
        return tuple(index * self.step for index in range(first, last + 1))

    def text(self, tick: float) -> str:
        """With as many decimals as the step has."""
        decimals = next(n for n in range(20) if math.isclose(round(self.step, n), self.step, rel_tol=1e-6))
        return f"{tick + 0.0:,.{decimals}f}"


def scale_of(values: Iterable[float], start: float, end: float, *, num_ticks: int = 5) -> Scale:
    """Covers the values that are numbers, ends on ticks, and is never empty."""
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-3):
        room = 0.05 * max(abs(low), abs(high))
        low, high = (low - room, high + room) if room > 1e-9 else (low, high + 1.0)
    step = _nice((high - low) / num_ticks)
    return Scale(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, start, end, step)


def whole_scale_of(values: Iterable[float], start: float, end: float, *, num_ticks: int = 5) -> Scale:
    """As `scale_of`, of counts: no tick lies between two whole numbers."""
    scale = scale_of(values, start, end, num_ticks=num_ticks)
    if scale.step.is_integer():
        return scale
    step = float(math.ceil(scale.step))
    low = math.floor(scale.low / step) * step
    return Scale(low, max(math.ceil(scale.high / step) * step, low + step), start, end, step)


def _nice(step: float) -> float:
    """The smallest round step that is not below."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(nice * power for nice in STEPS if nice * power >= step * (1 - 1e-9))
