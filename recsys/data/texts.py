"""Many texts as one array of UTF-8 bytes and where each ends: no Python object a text, nothing to unpickle."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Texts:
    """Text n is data[offsets[n] : offsets[n + 1]]."""

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Texts":
        encoded = [text.encode() for text in texts]
        ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), ends)

    @classmethod
    def open(cls, directory: Path, name: str) -> "Texts":
        # as plain arrays, of which a piece is taken in a tenth of the time
        parts = (np.asarray(np.load(directory / f"{name}.{part}.npy", mmap_mode="r")) for part in ("bytes", "offsets"))
        return cls(*parts)

    def save(self, directory: Path, name: str) -> None:
        np.save(directory / f"{name}.bytes.npy", self.data)
        np.save(directory / f"{name}.offsets.npy", self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[str]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> str:
        return self.encoded(number).decode()

    def take(self, numbers: NDArray[np.integer]) -> list[str]:
        """The texts of these numbers, in fewer steps than one by one."""
        starts, ends, data = self.offsets[numbers].tolist(), self.offsets[numbers + 1].tolist(), self.data.data
        return [str(data[start:end], "utf-8") for start, end in zip(starts, ends, strict=True)]

    def encoded(self, number: int) -> bytes:
        """The text's UTF-8 bytes, whose order is the order of code points."""
        return self.data[self.offsets[number] : self.offsets[number + 1]].tobytes()
