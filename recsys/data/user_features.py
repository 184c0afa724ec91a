"""What somebody may tell of a user: by name, in the values of the user table. Knows the features, and nobody's values.

A value means what it means in the table: text is one of a feature's texts, a number is a number however it is written,
and lies in one of the stretches of a feature that is cut into buckets. What the table never had is 0, as nothing is.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from recsys.data.buckets import Buckets
from recsys.data.feature_table import STEMS, Features
from recsys.data.numerals import number_of
from recsys.data.texts import Texts
from recsys.durable import json_bytes
from recsys.errors import DataError

UserValue = str | int | float | bool
User = Mapping[str, UserValue | Sequence[UserValue]]

STEM = STEMS["user"]
FILE = f"{STEM}s.json"


class Entry(TypedDict):
    """A feature in user_features.json; `width` is how many values a user of the table has at most."""

    name: str
    width: int


class UserFeature:
    """Value n is called labels[n - 1]."""

    def __init__(self, name: str, width: int, labels: Texts) -> None:
        self.name, self.width, self.labels = name, width, labels

    def values_of(self, told: object) -> list[int]:
        """One's or several's, each once, in rising order."""
        several = told if isinstance(told, list | tuple | set | frozenset | np.ndarray) else [told]
        return sorted({self._value_of(value) for value in several} - {0})

    def _value_of(self, told: object) -> int:
        value = told.item() if isinstance(told, np.generic) else told
        match value:
            case None:
                return 0
            case bool():
                return self._of_text.get(str(value).lower(), 0)
            case int() | float():
                return self._of_number(value)
            case str():
                number = None if self._buckets is None else number_of(value)
                return self._of_text.get(value, 0) if number is None else self._of_number(number)
        kind = type(value).__name__
        raise DataError(f"the user's {self.name!r} is text, a number, a truth value or a list of them; found a {kind}")

    def _of_number(self, number: int | float) -> int:
        if isinstance(number, float) and not math.isfinite(number):
            return 0
        return self._numbers.get(number, 0) if self._buckets is None else self._buckets.value_of(number)

    @cached_property
    def _of_text(self) -> dict[str, int]:
        return {label: value for value, label in enumerate(self.labels, start=1)}

    @cached_property
    def _numbers(self) -> dict[int | float, int]:
        numbers = ((number_of(label), value) for label, value in self._of_text.items())
        return {number: value for number, value in numbers if number is not None}

    @cached_property
    def _buckets(self) -> Buckets | None:
        return Buckets.of([*self._of_text])


class UserFeatures:
    """Those that a ranker reads, in its order; none where it reads none."""

    def __init__(self, features: Iterable[UserFeature] = ()) -> None:
        self._features = tuple(features)

    @classmethod
    def of(cls, table: Features) -> "UserFeatures":
        """Of the user table's."""
        return cls(UserFeature(one.name, int(np.diff(one.offsets).max(initial=1)), one.labels) for one in table.inputs)

    @classmethod
    def open(cls, directory: Path) -> "UserFeatures":
        """What `save` wrote; none where it wrote nothing."""
        if not (directory / FILE).exists():
            return cls()
        entries: list[Entry] = json.loads((directory / FILE).read_text(encoding="utf-8"))
        return cls(
            UserFeature(entry["name"], entry["width"], Texts.open(directory, f"{STEM}{number}.labels"))
            for number, entry in enumerate(entries)
        )

    def save(self, directory: Path) -> None:
        entries: list[JsonValue] = [{"name": feature.name, "width": feature.width} for feature in self._features]
        (directory / FILE).write_bytes(json_bytes(entries))
        for number, feature in enumerate(self._features):
            feature.labels.save(directory, f"{STEM}{number}.labels")

    @property
    def names(self) -> list[str]:
        return [feature.name for feature in self._features]

    @property
    def rule(self) -> str:
        """What may be told, in a sentence."""
        if not self._features:
            return "this bundle's model reads nothing of a user but the history: tell no features of the user"
        return f"of a user this bundle's ranker reads {', '.join(self.names)}"

    def accepts(self, user: User) -> bool:
        """Whether every name is that of a feature."""
        return bool(self._features) and user.keys() <= set(self.names)

    def values(self, users: Sequence[User | None]) -> tuple[NDArray[np.int32], ...]:
        """Of each feature [users, M], filled up with 0; DataError where there is no such feature."""
        for user in users:
            if user is not None and not self.accepts(user):
                stranger = next((f"{name!r} is no feature: " for name in user if name not in self.names), "")
                raise DataError(stranger + self.rule)
        return tuple(
            _filled_up([feature.values_of((user or {}).get(feature.name)) for user in users], feature.width)
            for feature in self._features
        )


def _filled_up(rows: Sequence[Sequence[int]], width: int) -> NDArray[np.int32]:
    """As wide as the table's, at least: sums of as many numbers, in the same order."""
    filled = np.zeros((len(rows), max([width, *map(len, rows)])), np.int32)
    for row, values in zip(filled, rows, strict=True):
        row[: len(values)] = values
    return filled
