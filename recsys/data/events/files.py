"""Which files a path means, and what format each is in. Knows names, not contents."""

import difflib
import glob
from pathlib import Path

from recsys.data.events.config import Format
from recsys.errors import DataError

SUFFIXES: dict[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".dat": "csv", ".inter": "csv",
    ".parquet": "parquet", ".pq": "parquet",
    ".ndjson": "ndjson", ".jsonl": "ndjson",
}  # fmt: skip


def find_files(path: Path, what: str) -> list[Path]:
    """The file itself, every file of a directory in a known format, or what a glob matches; sorted by name.

    DataError, with near names, where there is none; `what` is the configuration's key.
    """
    if path.is_file():
        return [path]
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if _is_part(file))
        if not found:
            raise DataError(
                f"{what}: the directory {path} holds no file that ends in {', '.join(SUFFIXES)}; "
                f"a glob such as {path / '*'} takes files of any name"
            )
        return found
    matched = sorted(Path(name) for name in glob.glob(str(path), recursive=True))
    found = [file for file in matched if file.is_file()]
    if not found:
        raise DataError(f"{what}: there is no file {path}{_near(path)}")
    return found


def _is_part(file: Path) -> bool:
    """Names that begin with a dot or an underscore are other programs' notes."""
    return file.is_file() and not file.name.startswith((".", "_")) and _format_of(file) is not None


def format_of(file: Path, configured: Format) -> Format:
    """The configured format, or what the name says."""
    found = _format_of(file) if configured == "auto" else configured
    if found is None:
        raise DataError(
            f"{file}: the format cannot be told from the name (known endings are {', '.join(SUFFIXES)}); "
            f"set format to csv, parquet or ndjson"
        )
    return found


def _format_of(file: Path) -> Format | None:
    name = file.name.lower().removesuffix(".gz")
    return next((kind for suffix, kind in SUFFIXES.items() if name.endswith(suffix)), None)


def _near(path: Path) -> str:
    if not path.parent.is_dir():
        return f", nor a directory {path.parent}"
    names = [other.name for other in path.parent.iterdir() if other.is_file()]
    close = difflib.get_close_matches(path.name, names, n=3, cutoff=0.4)
    return f"; did you mean {' or '.join(str(path.parent / name) for name in close)}?" if close else ""
