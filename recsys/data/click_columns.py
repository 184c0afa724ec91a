"""What a click carries besides its user, item and time: its label, and features of its own."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from recsys.data.texts import Texts

FILE, LABELS = "click_features.json", "labels.npy"


class Entry(TypedDict):
    """A feature in click_features.json."""

    name: str
    is_context: bool


@dataclass(frozen=True)
class ClickFeature:
    """[clicks, M] values from 1 to num_values - 1, filled up with 0; `labels` has what each is called, from 1 on.

    What `is_context` is known before the click.
    """

    name: str
    is_context: bool
    num_values: int
    values: NDArray[np.int32]
    labels: Texts


class ClickFeatures:
    """In the order of the configuration."""

    def __init__(self, features: Iterable[ClickFeature] = ()) -> None:
        self._features = tuple(features)

    def __iter__(self) -> Iterator[ClickFeature]:
        return iter(self._features)

    def __len__(self) -> int:
        return len(self._features)

    @property
    def context(self) -> "ClickFeatures":
        return ClickFeatures(feature for feature in self if feature.is_context)

    @classmethod
    def open(cls, directory: Path) -> "ClickFeatures":
        """Empty where the dataset has no file of them."""
        if not (directory / FILE).exists():
            return cls()
        entries: list[Entry] = json.loads((directory / FILE).read_text(encoding="utf-8"))
        return cls(_open_feature(directory, number, entry) for number, entry in enumerate(entries))

    def save(self, directory: Path) -> None:
        if not self._features:
            return
        entries = [Entry(name=feature.name, is_context=feature.is_context) for feature in self]
        (directory / FILE).write_text(json.dumps(entries, ensure_ascii=False) + "\n", encoding="utf-8")
        for number, feature in enumerate(self):
            np.save(directory / f"click_feature{number}.values.npy", feature.values)
            feature.labels.save(directory, f"click_feature{number}.labels")


def _open_feature(directory: Path, number: int, entry: Entry) -> ClickFeature:
    labels = Texts.open(directory, f"click_feature{number}.labels")
    values = np.load(directory / f"click_feature{number}.values.npy", mmap_mode="r")
    return ClickFeature(entry["name"], entry["is_context"], len(labels) + 1, values, labels)


def open_labels(directory: Path) -> NDArray[np.uint8] | None:
    """[clicks] 0 or 1; None where the log has none."""
    path = directory / LABELS
    return np.load(path, mmap_mode="r") if path.exists() else None
