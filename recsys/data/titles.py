"""What people call the items."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsys.data.texts import Texts

FILE = "titles"


@dataclass(frozen=True)
class Titles:
    """One text for each item index, row 0 included; empty where an item has none."""

    texts: Texts

    @classmethod
    def open(cls, directory: Path) -> "Titles | None":
        """None where nobody gave any."""
        return cls(Texts.open(directory, FILE)) if (directory / f"{FILE}.bytes.npy").exists() else None

    def save(self, directory: Path) -> None:
        self.texts.save(directory, FILE)

    def take(self, item_indices: NDArray[np.integer]) -> list[str | None]:
        return [text or None for text in self.texts.take(item_indices)]

    def of(self, item_index: int) -> str | None:
        return self.texts[item_index] or None
