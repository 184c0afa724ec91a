"""A whole and sealed copy of a bundle, in which one file says something else."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recsys.bundle.manifest import seal_of


def resealed_copy(bundle: Path, copy: Path, name: str, change: Callable[[Any], object]) -> Path:
    """`change` alters what the JSON file holds; version 99.0 of the library is said to have written it."""
    shutil.copytree(bundle, copy)
    told = json.loads((copy / name).read_text())
    change(told)
    data = json.dumps(told).encode()
    (copy / name).write_bytes(data)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    manifest["library_version"] = "99.0"
    sealed = json.dumps(manifest).encode()
    (copy / "manifest.json").write_bytes(sealed)
    (copy / "seal").write_bytes(seal_of(sealed, (copy / "record.json").read_bytes()))
    return copy
