"""One file of a log: its bytes as UTF-8, and what reading it yields."""

import codecs
import difflib
import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.errors import ConfigError, DataError

BROKEN = {"file": pl.String, "row": pl.Int64, "reason": pl.String, "text": pl.String}
GZIP_MAGIC = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MOST_NAMES = 20


def no_broken_rows() -> pl.DataFrame:
    return pl.DataFrame(schema=BROKEN)


@dataclass(frozen=True)
class Table:
    """Rows, and in `broken` what is none: the file, the row's number from 1, the reason, and the text.

    `numbers` are those of the frame's rows; None where they are 1, 2, 3 and so on.
    """

    frame: pl.DataFrame
    broken: pl.DataFrame = field(default_factory=no_broken_rows)
    warnings: tuple[str, ...] = ()
    numbers: NDArray[np.int64] | None = None


def number_rows(places: NDArray[np.int64], numbers: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """The numbers, as a table has them, of the rows at places from 0."""
    return places + 1 if numbers is None else numbers[places]


@dataclass(frozen=True)
class Source:
    """A text file, compressed with gzip or not, in any encoding."""

    path: Path
    encoding: str

    def read(self) -> bytes:
        """The text as UTF-8; bytes that are not of the encoding become U+FFFD, which ids may not contain."""
        try:
            data = self.path.read_bytes()
            plain = gzip.decompress(data) if data.startswith(GZIP_MAGIC) else data
            if codecs.lookup(self.encoding).name != "utf-8":
                plain = plain.decode(self.encoding, errors="replace").encode()
            return plain.removeprefix(BYTE_ORDER_MARK)
        except LookupError:
            raise ConfigError(
                f"encoding {self.encoding!r} is not one that Python knows; try utf-8 or latin-1"
            ) from None
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{self.path} cannot be read: {error}") from error


def require_columns(file: Path, wanted: Sequence[str], found: Sequence[str]) -> None:
    """DataError, with the nearest names, unless every wanted column is there, once."""
    for name in wanted:
        if name not in found:
            close = difflib.get_close_matches(name, found, n=1, cutoff=0.4)
            nearest = f"did you mean {close[0]!r}? " if close else ""
            if any(column.strip().lstrip("-").replace(".", "").isdigit() for column in found):
                nearest += "a first line that is data already needs the names in `header`; "
            names = ", ".join(repr(other[:80]) for other in found[:MOST_NAMES])
            more = f" and {len(found) - MOST_NAMES:,} more" if len(found) > MOST_NAMES else ""
            raise DataError(f"{file} has no column {name!r}; {nearest}its columns are {names}{more}")
        if found.count(name) > 1:
            raise DataError(f"{file} has {found.count(name)} columns {name!r}; rename those that are not meant")
