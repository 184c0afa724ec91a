"""Checkpoints that a crash cannot spoil: written aside, hashed, renamed; two generations kept, checked when read.

Lightning's own writer loses data on a full disk, in an unwritable directory and across file systems, and its formats
do not notice a flipped bit, so a file here is the checkpoint followed by the sha256 of all that comes before.
"""

import hashlib
import io
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch
from pytorch_lightning.plugins.io import CheckpointIO

from recsys.durable import replaced_file
from recsys.errors import BundleError

FORMAT_KEY, FORMAT_VERSION = "recsys_format", 4
"""Raise it with any change to what the callbacks keep."""
DIGEST_BYTES = hashlib.sha256().digest_size
NEXT, LAST, PREVIOUS = "next.ckpt", "last.ckpt", "previous.ckpt"


class DurableCheckpointIO(CheckpointIO):
    """Lightning's way to disk, ours underneath. `path` names the newest generation."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        last = Path(path)
        with replaced_file(last.with_name(NEXT)) as temporary, temporary.open("wb") as file:
            hashed = _Hashed(file)
            torch.save({**checkpoint, FORMAT_KEY: FORMAT_VERSION}, cast(BinaryIO, hashed))
            file.write(hashed.sha256.digest())
        if last.exists():
            last.replace(last.with_name(PREVIOUS))
        last.with_name(NEXT).replace(last)

    def load_checkpoint(self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = True) -> Any:
        checkpoint = torch.load(io.BytesIO(read_verified(Path(path))), map_location=map_location, weights_only=True)
        if checkpoint.get(FORMAT_KEY) != FORMAT_VERSION:
            raise BundleError(
                f"{path} has format {checkpoint.get(FORMAT_KEY)}, and this version goes on from {FORMAT_VERSION}: "
                f"start again with --restart"
            )
        return checkpoint

    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)


class _Hashed:
    """Passes on to a file, hashing what it passes: of a large catalogue a checkpoint need not stand in memory too."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.sha256 = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()


def read_verified(path: Path) -> bytes:
    """The checkpoint's bytes; BundleError where they are not what was written."""
    content = path.read_bytes()
    payload, digest = content[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
    if hashlib.sha256(payload).digest() != digest:
        raise BundleError(f"the checkpoint {path} is damaged: its sha256 is not the one written with it")
    return payload


def newest_checkpoint(directory: Path) -> Path | None:
    """The newest generation that verifies; None where there is none yet. BundleError where all are damaged."""
    damaged: dict[Path, BundleError] = {}
    for path in (directory / name for name in (NEXT, LAST, PREVIOUS)):
        if not path.exists():
            continue
        try:
            read_verified(path)
        except BundleError as error:
            damaged[path] = error
        else:
            for worthless in damaged:  # the next save must not move it over this one
                worthless.unlink()
            return path
    if damaged:
        newest = next(iter(damaged.values()))
        raise BundleError(f"{newest}, and no older one can be used; start again with --restart") from newest
    return None


def remove_checkpoints(directory: Path) -> None:
    """Newest first, so that a kill in between leaves nothing newer than what is left."""
    for name in (NEXT, LAST, PREVIOUS):
        (directory / name).unlink(missing_ok=True)
