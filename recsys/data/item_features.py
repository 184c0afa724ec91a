"""What is known of the items besides their ids: categorical features, one or many values an item."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from recsys.data.texts import Texts

FILE = "features.json"


class Entry(TypedDict):
    """A feature in features.json."""

    name: str
    is_input: bool


@dataclass(frozen=True)
class ItemFeature:
    """Item v's values are values[offsets[v] : offsets[v + 1]], each from 1 to num_values - 1; item 0 has none.

    `labels` has what each value is called, in the order of the values from 1 on. The model reads it if it `is_input`.
    """

    name: str
    is_input: bool
    num_values: int
    values: NDArray[np.int32]
    offsets: NDArray[np.int64]
    labels: Texts


class ItemFeatures:
    """The features of one catalogue, in the order of its item table."""

    def __init__(self, features: Iterable[ItemFeature] = ()) -> None:
        self._features = tuple(features)

    def __iter__(self) -> Iterator[ItemFeature]:
        return iter(self._features)

    def __len__(self) -> int:
        return len(self._features)

    @property
    def inputs(self) -> "ItemFeatures":
        """Those that the model reads."""
        return ItemFeatures(feature for feature in self if feature.is_input)

    @classmethod
    def open(cls, directory: Path) -> "ItemFeatures":
        entries: list[Entry] = json.loads((directory / FILE).read_text(encoding="utf-8"))
        return cls(_open_feature(directory, number, entry) for number, entry in enumerate(entries))

    def save(self, directory: Path) -> None:
        entries = [Entry(name=feature.name, is_input=feature.is_input) for feature in self]
        (directory / FILE).write_text(json.dumps(entries, ensure_ascii=False) + "\n", encoding="utf-8")
        for number, feature in enumerate(self):
            np.save(directory / f"feature{number}.values.npy", feature.values)
            np.save(directory / f"feature{number}.item_offsets.npy", feature.offsets)
            feature.labels.save(directory, f"feature{number}.labels")


def _open_feature(directory: Path, number: int, entry: Entry) -> ItemFeature:
    labels = Texts.open(directory, f"feature{number}.labels")
    return ItemFeature(
        name=entry["name"],
        is_input=entry["is_input"],
        num_values=len(labels) + 1,
        values=np.load(directory / f"feature{number}.values.npy", mmap_mode="r"),
        offsets=np.load(directory / f"feature{number}.item_offsets.npy", mmap_mode="r"),
        labels=labels,
    )
