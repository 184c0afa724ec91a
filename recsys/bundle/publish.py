"""A bundle appears whole or not at all, and the pointer to the current one moves in one step."""

from pathlib import Path

from recsys.bundle.contents import BundleContents
from recsys.bundle.manifest import MANIFEST, RECORD, SEAL, Record, content_id, seal_of, verify
from recsys.durable import json_bytes, point, put_in_place, sweep, temporary_directory
from recsys.errors import BundleError, UserError

BUNDLES, POINTER = "bundles", "bundle"


def publish(contents: BundleContents, workdir: Path, record: Record) -> Path:
    """Returns workdir/bundles/CONTENT_ID, which workdir/bundle points to.

    Content that is published already, and undamaged, is only pointed to; it keeps its first record.
    """
    with temporary_directory(workdir / BUNDLES / "new") as temporary:
        name = _write(contents, temporary, record)
        published = workdir / BUNDLES / name
        if not _is_sound(published):
            put_in_place(temporary, published)
    sweep(workdir)
    point(workdir / POINTER, f"{BUNDLES}/{name}")
    return published


def _write(contents: BundleContents, directory: Path, record: Record) -> str:
    written, lookups = contents.write(directory)
    manifest = json_bytes(written.model_dump(mode="json"))
    described = json_bytes(record.model_copy(update={"lookups": lookups}).model_dump(mode="json"))
    (directory / MANIFEST).write_bytes(manifest)
    (directory / RECORD).write_bytes(described)
    (directory / SEAL).write_bytes(seal_of(manifest, described))
    return content_id(manifest)


def _is_sound(bundle: Path) -> bool:
    try:
        verify(bundle)
    except (BundleError, UserError):
        return False
    return True
