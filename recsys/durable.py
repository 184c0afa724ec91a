"""Files and directories that a reader sees old or new, never between; checksums; locks.

Everything is written beside its target under a temporary name, flushed to the disk, and renamed. A process
that dies on the way leaves `.NAME.PID-TOKEN-N.tmp`: no reader looks at it, and `sweep` removes it once that
process is gone. A full disk, or a directory that may not be written, is a `DiskError` that names the path.

Knows paths and bytes, not their meaning. What is promised holds for a process crash, not for a loss of power.
"""

import ctypes
import errno
import fcntl
import hashlib
import itertools
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from recsys.errors import BusyError, DiskError


def _nothing(path: Path) -> None:
    """What happens before a durable step, outside of crash tests."""


before_write: Callable[[Path], None] = _nothing
"""Called with a path before each durable step; crash tests put a hook here that kills the process."""

_TOKEN = secrets.token_hex(4)
_COUNTER = itertools.count()
_LEFTOVER = re.compile(r"\..+\.(?P<pid>\d+)-(?P<token>[0-9a-f]{8})-\d+\.tmp")
_REMEDIES: dict[str, set[int | None]] = {
    "free some space or choose another workdir": {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        None,
    },  # None: numpy
    "choose a workdir that may be written": {errno.EROFS, errno.EACCES, errno.EPERM},
    "move away what stands there or choose another workdir": {errno.ENOTDIR, errno.EEXIST, errno.EISDIR},
    "check the disk": {errno.EIO},
    "choose a workdir that can be made": {errno.ENOENT},
}


def write_bytes(path: Path, data: bytes) -> None:
    """Make `data` the content of `path`, creating its directory if need be."""
    with replaced_file(path) as temporary, temporary.open("xb") as file:
        file.write(data)


def write_json(path: Path, value: JsonValue) -> None:
    """Strict JSON (NaN is a ValueError), keys sorted, so that equal values are equal bytes."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: JsonValue) -> bytes:
    """The bytes that `write_json` writes."""
    return (json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write a .npy file; an object array, which would have to be pickled, is a ValueError."""
    with replaced_file(path) as temporary, temporary.open("xb") as file:
        np.lib.format.write_array(file, array, allow_pickle=False)


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; what the block wrote there becomes `path` if it ends well."""
    temporary = _temporary(path)
    with _disk_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            before_write(temporary)
            yield temporary
            _flush(temporary)
            before_write(path)
            os.replace(temporary, path)
            _flush(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replaced_directory(path: Path) -> Iterator[Path]:
    """Yield an empty directory beside `path`; it takes the place of `path`, whole, if the block ends well."""
    with temporary_directory(path) as temporary:
        yield temporary
        put_in_place(temporary, path)


@contextmanager
def temporary_directory(path: Path) -> Iterator[Path]:
    """Yield an empty directory beside `path`; whatever has that name when the block ends is removed."""
    temporary = _temporary(path)
    with _disk_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            sweep(path.parent)
            before_write(temporary)
            temporary.mkdir()
            yield temporary
            before_write(temporary)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def put_in_place(temporary: Path, path: Path) -> None:
    """Flush a directory to the disk and rename it to `path`; what was there before has its old name then."""
    for parent, _, names in os.walk(temporary):
        for name in names:
            _flush(Path(parent, name))
        _flush(Path(parent))
    before_write(path)
    if not path.exists():
        os.rename(temporary, path)
    elif not _exchange(temporary, path):  # a system without that call: for an instant there is neither
        displaced = _temporary(path)
        os.rename(path, displaced)
        os.rename(temporary, path)
        os.rename(displaced, temporary)
    _flush(path.parent)


def point(link: Path, target: str) -> None:
    """Make `link` a symlink to `target`, in one step that replaces an earlier link."""
    temporary = _temporary(link)
    with _disk_errors(link):
        try:
            before_write(temporary)
            temporary.symlink_to(target)
            before_write(link)
            os.replace(temporary, link)
            _flush(link.parent)
        finally:
            temporary.unlink(missing_ok=True)


def sweep(directory: Path) -> None:
    """Remove the temporary files and directories that dead processes left in `directory`."""
    for leftover in sorted(directory.glob(".*.tmp")):
        match = _LEFTOVER.fullmatch(leftover.name)
        if match is None or _is_at_work(int(match["pid"]), match["token"]):
            continue
        before_write(leftover)
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(*parts: str) -> str:
    """Hex digest of a sequence of texts; ("ab", "c") and ("a", "bc") differ."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@contextmanager
def locked(directory: Path, what: str) -> Iterator[None]:
    """Hold `directory` for this process and sweep it; `what` names it to the process that is refused.

    The kernel lets go of the lock when the process ends, however it ends.
    """
    path = directory / ".lock"
    with _disk_errors(path):
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _take(descriptor, directory, what)
        sweep(directory)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, directory: Path, what: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        message = f"{what} {directory} is in use by process {holder}: wait until it has ended, or stop it"
        raise BusyError(message) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}-{_TOKEN}-{next(_COUNTER)}.tmp")


def _is_at_work(pid: int, token: str) -> bool:
    if pid == os.getpid():
        return token == _TOKEN  # in a container every life of a job may have the same pid
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two directory entries in one step (Linux's renameat2); False where the system cannot."""
    here, exchange = -100, 2
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
    return renameat2 is not None and renameat2(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """What the system says about writing at or above `path` becomes a DiskError; other files' errors pass."""
    try:
        yield
    except OSError as error:
        names = [Path(os.fsdecode(name)) for name in (error.filename, error.filename2) if name is not None]
        is_ours = not names or any(n.is_relative_to(path.parent) or path.is_relative_to(n) for n in names)
        remedies = [remedy for remedy, codes in _REMEDIES.items() if error.errno in codes]
        if not (is_ours and remedies):
            raise
        reason = error.strerror or str(error)
        raise DiskError(f"cannot write {path}: {reason}; {remedies[0]}") from error
