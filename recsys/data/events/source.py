"""One file of a log: its bytes as UTF-8, and what reading it yields."""

import codecs
import difflib
import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from recsys.errors import ConfigError, DataError

BROKEN = {"file": pl.String, "row": pl.Int64, "reason": pl.String, "text": pl.String}
GZIP_MAGIC = b"\x1f\x8b"


def no_broken_rows() -> pl.DataFrame:
    return pl.DataFrame(schema=BROKEN)


@dataclass(frozen=True)
class Table:
    """`broken` has the rows that are none: the file, the row's number from 1, the reason, and the text."""

    frame: pl.DataFrame
    broken: pl.DataFrame = field(default_factory=no_broken_rows)
    warnings: tuple[str, ...] = ()


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
            if codecs.lookup(self.encoding).name == "utf-8":
                return plain
            return plain.decode(self.encoding, errors="replace").encode()
        except LookupError:
            raise ConfigError(
                f"encoding {self.encoding!r} is not one that Python knows; try utf-8 or latin-1"
            ) from None
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{self.path} cannot be read: {error}") from error


def require_columns(file: Path, wanted: Sequence[str], found: Sequence[str]) -> None:
    """DataError, with the nearest names, unless every wanted column is there."""
    for name in wanted:
        if name not in found:
            close = difflib.get_close_matches(name, found, n=1, cutoff=0.4)
            nearest = f"did you mean {close[0]!r}? " if close else ""
            raise DataError(f"{file} has no column {name!r}; {nearest}its columns are {', '.join(map(repr, found))}")
