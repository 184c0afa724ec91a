"""What is known of items, or of users, besides their ids: categorical features, one or many values a row."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from recsys.data.texts import Texts

Owner = Literal["item", "user"]
STEMS: dict[Owner, str] = {"item": "feature", "user": "user_feature"}
"""How the files of each begin."""


class Entry(TypedDict):
    """A feature in features.json."""

    name: str
    is_input: bool


@dataclass(frozen=True)
class Feature:
    """Row r's values are values[offsets[r] : offsets[r + 1]], each from 1 to num_values - 1; row 0, nobody's, has none.

    `labels` has what each value is called, in the order of the values from 1 on. The model reads it if it `is_input`.
    """

    name: str
    is_input: bool
    num_values: int
    values: NDArray[np.int32]
    offsets: NDArray[np.int64]
    labels: Texts


class Features:
    """The features of one catalogue, or of all users, in the order of their table."""

    def __init__(self, features: Iterable[Feature] = ()) -> None:
        self._features = tuple(features)

    def __iter__(self) -> Iterator[Feature]:
        return iter(self._features)

    def __len__(self) -> int:
        return len(self._features)

    @property
    def inputs(self) -> "Features":
        """Those that the model reads."""
        return Features(feature for feature in self if feature.is_input)

    @classmethod
    def open(cls, directory: Path, owner: Owner = "item") -> "Features":
        file = _manifest(directory, owner)
        entries: list[Entry] = json.loads(file.read_text(encoding="utf-8"))
        return cls(_open_feature(directory, owner, number, entry) for number, entry in enumerate(entries))

    def save(self, directory: Path, owner: Owner = "item") -> None:
        entries = [Entry(name=feature.name, is_input=feature.is_input) for feature in self]
        _manifest(directory, owner).write_text(json.dumps(entries, ensure_ascii=False) + "\n", encoding="utf-8")
        for number, feature in enumerate(self):
            stem = f"{STEMS[owner]}{number}"
            np.save(directory / f"{stem}.values.npy", feature.values)
            np.save(directory / f"{stem}.{owner}_offsets.npy", feature.offsets)
            feature.labels.save(directory, f"{stem}.labels")


def _manifest(directory: Path, owner: Owner) -> Path:
    return directory / f"{STEMS[owner]}s.json"


def _open_feature(directory: Path, owner: Owner, number: int, entry: Entry) -> Feature:
    stem = f"{STEMS[owner]}{number}"
    labels = Texts.open(directory, f"{stem}.labels")
    return Feature(
        name=entry["name"],
        is_input=entry["is_input"],
        num_values=len(labels) + 1,
        values=np.load(directory / f"{stem}.values.npy", mmap_mode="r"),
        offsets=np.load(directory / f"{stem}.{owner}_offsets.npy", mmap_mode="r"),
        labels=labels,
    )


def dense_values(feature: Feature) -> NDArray[np.int32]:
    """[rows, M] each row's values, filled up with 0; M is at least 1."""
    counts = np.diff(feature.offsets)
    width = max(1, int(counts.max(initial=0)))
    dense = np.zeros((len(counts), width), dtype=np.int32)
    dense[np.arange(width) < counts[:, None]] = feature.values
    return dense
