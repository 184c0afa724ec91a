"""The lines of a text as arrays: where each ends, how many fields it has, how many quotes. Arithmetic on bytes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]
NEWLINE, RETURN, QUOTE = b'\n\r"'
BLOCK = 1 << 22


@dataclass(frozen=True)
class Lines:
    """Line n is data[stops[n - 1] : stops[n]], its line end included.

    `fields` counts separators outside quotes, as if every line began outside of them.
    """

    data: bytes
    stops: Int64
    fields: Int32
    quotes: Int32
    blank: NDArray[np.bool_]
    """Whether there is nothing but the line end."""

    @classmethod
    def of(cls, data: bytes, separator: str, *, quoted: bool) -> "Lines":
        """Of a text that is not empty."""
        blocks = [_Block.of(data, *span, ord(separator), quoted=quoted) for span in _whole_lines(data)]
        return cls(
            data=data,
            stops=np.concatenate([block.stops for block in blocks]),
            fields=np.concatenate([block.fields for block in blocks]),
            quotes=np.concatenate([block.quotes for block in blocks]),
            blank=np.concatenate([block.blank for block in blocks]),
        )

    def __len__(self) -> int:
        return len(self.stops)

    def text(self, first: int, last: int) -> str:
        """Lines from the first to the last, without the last one's end."""
        start = self.stops[first - 1] if first else 0
        return self.data[start : self.stops[last]].decode(errors="replace").rstrip("\r\n")

    def only(self, chosen: NDArray[np.bool_]) -> bytes:
        """The text of the chosen lines."""
        lengths = np.diff(self.stops, prepend=0)
        return np.frombuffer(self.data, np.uint8)[np.repeat(chosen, lengths)].tobytes()


@dataclass(frozen=True)
class _Block:
    stops: Int64
    fields: Int32
    quotes: Int32
    blank: NDArray[np.bool_]

    @classmethod
    def of(cls, data: bytes, start: int, stop: int, separator: int, *, quoted: bool) -> "_Block":
        raw = np.frombuffer(data, np.uint8, count=stop - start, offset=start)
        stops = np.flatnonzero(raw == NEWLINE) + 1
        if raw[-1] != NEWLINE:
            stops = np.append(stops, len(raw))
        starts = np.concatenate([[0], stops[:-1]])
        lengths = stops - starts
        bare = lengths - (raw[stops - 1] == NEWLINE)
        blank = (bare == 0) | ((bare == 1) & (raw[starts] == RETURN))
        separates = raw == separator
        quotes = np.zeros(len(stops), np.int32)
        separators = _counts(separates, starts)
        if quoted and data.find(b'"', start, stop) >= 0:
            is_quote = raw == QUOTE
            quotes = _counts(is_quote, starts)
            begins_inside = np.cumsum(quotes) - quotes & 1
            outside = _counts(separates & ~np.logical_xor.accumulate(is_quote), starts)
            separators = np.where(begins_inside, separators - outside, outside)
        return cls(stops + start, separators + 1, quotes, blank)


def _whole_lines(data: bytes) -> Iterator[tuple[int, int]]:
    """Spans of about a block each that end with a line."""
    start = 0
    while start < len(data):
        stop = data.find(b"\n", start + BLOCK) + 1 or len(data)
        yield start, stop
        start = stop


def _counts(mask: NDArray[np.bool_], starts: Int64) -> Int32:
    """[lines] how often the mask holds."""
    return np.add.reduceat(mask, starts, dtype=np.int32)
