"""Stretches of numbers that are categories. Their names tell their edges, so that a number finds its own again."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from recsys.data.numerals import NUMERAL

ALL = "all"
"""The one stretch of a column that has one number."""
NAME = re.compile(f"({NUMERAL}) to ({NUMERAL})")


def bucket_names(edges: Sequence[float]) -> list[str]:
    """Of the stretches between rising edges."""
    return [f"{float(low)!r} to {float(high)!r}" for low, high in pairwise(edges)] or [ALL]


@dataclass(frozen=True)
class Buckets:
    """Those that occur, by rising edges: value n + 1 is called names[n]. What lies outside of all is in the nearest."""

    lows: tuple[float, ...]
    highs: tuple[float, ...]
    values: tuple[int, ...]

    @classmethod
    def of(cls, names: Sequence[str]) -> Self | None:
        """None where these are other names."""
        if [*names] == [ALL]:
            return cls((float("-inf"),), (float("inf"),), (1,))
        edges = [found.groups() for found in map(NAME.fullmatch, names) if found is not None]
        if not edges or len(edges) < len(names):
            return None
        stretches = sorted((float(low), float(high), value) for value, (low, high) in enumerate(edges, start=1))
        lows, highs, values = zip(*stretches, strict=True)
        return cls(lows, highs, values)

    def value_of(self, number: float) -> int:
        """0 for a stretch that no number lay in."""
        place = max(0, bisect_right(self.lows, number) - 1)
        is_last = place == len(self.lows) - 1
        return self.values[place] if is_last or number < self.highs[place] else 0
