"""What a bundle says about itself, and the check that it still is what was written.

    bundles/CONTENT_ID/
        manifest.json    format, sizes, the metric of each use; size and sha256 of every payload file
        record.json      dates, and the MLflow run
        seal             sha256 of manifest.json, of record.json, and of those two lines themselves
        ...              the payload

The content id is the start of the manifest's sha256. The manifest holds every payload file's hash and nothing
that two equal runs would differ in, so equal content has equal names; the record is sealed, but not in the name.

Knows files and hashes, not what is in them.
"""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import NonNegativeInt, PositiveInt, StringConstraints, ValidationError

from recsys.blend import Blend
from recsys.durable import sha256_of
from recsys.errors import BundleError, UserError
from recsys.index.effort import LookupTimes
from recsys.section import Section

FORMAT_VERSION = 7
MANIFEST, RECORD, SEAL = "manifest.json", "record.json", "seal"
FRAME = {MANIFEST, RECORD, SEAL}

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=128)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class PayloadFile(Section):
    size: NonNegativeInt
    sha256: Sha256


class Manifest(Section):
    """Names, sizes and hashes; file names have no directories in them."""

    format_version: Literal[7] = 7
    library_version: str
    recommend_metric: Literal["dot", "cosine"]
    """What `recommend` ranks by: the score that was trained."""
    similar_metric: Literal["cosine"] = "cosine"
    """What `similar` ranks by."""
    id_type: str
    num_items: PositiveInt
    num_candidates: PositiveInt
    dim: PositiveInt
    max_length: PositiveInt
    is_recommend_approximate: bool = False
    """Whether `recommend` looks its candidates up in an index."""
    num_ranked: NonNegativeInt = 0
    """How many of the retriever's items the ranker puts in order; 0 where there is no ranker."""
    blend: Blend | None = None
    """How both stages' scores become one; None where there is no ranker."""
    files: dict[FileName, PayloadFile]


class Record(Section):
    """What two equal runs may differ in; dates in ISO 8601."""

    published: str
    trained: str
    mlflow_run: str | None = None
    lookups: LookupTimes | None = None
    """How fast they were where the bundle was made."""


def payload_of(directory: Path) -> dict[str, PayloadFile]:
    """Every file in the directory, hashed."""
    files = sorted(directory.iterdir())
    return {path.name: PayloadFile(size=path.stat().st_size, sha256=sha256_of(path)) for path in files}


def content_id(manifest: bytes) -> str:
    return hashlib.sha256(manifest).hexdigest()[:16]


def seal_of(manifest: bytes, record: bytes) -> bytes:
    """The seal's whole content."""
    hashes = hashlib.sha256(manifest).hexdigest(), hashlib.sha256(record).hexdigest()
    return _seal(f"{hashes[0]}  {MANIFEST}\n{hashes[1]}  {RECORD}\n".encode())


def resolved(path: Path) -> Path:
    """Where a pointer leads to; UserError where it leads round in a circle."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        raise UserError(f"no bundle at {path}: this link leads to itself; point it to a published bundle") from None


def verify(path: Path) -> Manifest:
    """Hashes every file before anything is parsed; a BundleError names the file that has changed.

    What is opened afterwards is opened a second time: nobody may write into a published bundle.
    """
    directory = resolved(path)
    if not directory.is_dir():
        raise UserError(f"no bundle at {path}: give the directory that `recsys index` published")
    if not (directory / MANIFEST).exists() and (directory / "bundle").is_dir():
        raise UserError(f"{path} is a workdir, not a bundle: did you mean {path / 'bundle'}?")
    names = _plain_files(directory)
    for name in sorted(FRAME - names):
        raise _damaged(directory, name, "is missing")
    manifest = _parse(directory, _sealed_manifest(directory))
    _check_names(directory, names - FRAME, set(manifest.files))
    for name, expected in sorted(manifest.files.items()):
        _check_file(directory, name, expected)
    return manifest


def _plain_files(directory: Path) -> set[str]:
    with os.scandir(directory) as entries:
        plain = {entry.name: entry.is_file(follow_symlinks=False) for entry in entries}
    for name in sorted(name for name, is_plain in plain.items() if not is_plain):
        raise _damaged(directory, name, "is no plain file (a link, a directory, a device)")
    return set(plain)


def _sealed_manifest(directory: Path) -> bytes:
    manifest, record, seal = (_read(directory, name) for name in (MANIFEST, RECORD, SEAL))
    lines = seal.split(b"\n")
    if len(lines) != 4 or seal != _seal(b"\n".join(lines[:2]) + b"\n"):
        raise _damaged(directory, SEAL, "does not match its own checksum")
    intact = seal_of(manifest, record).split(b"\n")
    for line, found, name in zip(lines, intact, (MANIFEST, RECORD), strict=False):
        if line != found:
            raise _damaged(directory, name, "does not match its checksum in the seal")
    if re.fullmatch("[0-9a-f]{16}", directory.name) and directory.name != content_id(manifest):
        raise _damaged(directory, MANIFEST, f"belongs to bundle {content_id(manifest)}")
    return manifest


def _seal(lines: bytes) -> bytes:
    return lines + f"{hashlib.sha256(lines).hexdigest()}  {SEAL}\n".encode()


def _parse(directory: Path, data: bytes) -> Manifest:
    try:
        version = json.loads(data)["format_version"]
        if version == FORMAT_VERSION:
            return Manifest.model_validate_json(data)
    except (ValueError, LookupError, TypeError, ValidationError) as error:
        raise _damaged(directory, MANIFEST, f"is no manifest ({str(error).splitlines()[0]})") from None
    raise _damaged(directory, MANIFEST, f"has format_version {version}, this library reads {FORMAT_VERSION}")


def _check_names(directory: Path, found: set[str], expected: set[str]) -> None:
    for name in sorted(expected - found):
        raise _damaged(directory, name, "is missing")
    for name in sorted(found - expected):
        raise _damaged(directory, name, "is not in the manifest")


def _check_file(directory: Path, name: str, expected: PayloadFile) -> None:
    size = (directory / name).stat().st_size
    if size != expected.size:
        raise _damaged(directory, name, f"has {size} bytes, the manifest says {expected.size}")
    try:
        found = sha256_of(directory / name)
    except OSError as error:
        raise _damaged(directory, name, f"cannot be read ({error.strerror})") from error
    if found != expected.sha256:
        raise _damaged(directory, name, "does not match its checksum in the manifest")


def _read(directory: Path, name: str) -> bytes:
    try:
        return (directory / name).read_bytes()
    except OSError as error:
        raise _damaged(directory, name, f"cannot be read ({error.strerror})") from error


def _damaged(directory: Path, name: str, what: str) -> BundleError:
    legible = os.fsencode(name).decode(errors="replace")
    return BundleError(f"bundle {directory} is refused: {legible} {what}; publish it again, or restore a copy")
