"""Every byte flip, truncation, swap, extra, missing or linked file is refused by name, before anything is parsed."""

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from recsys.bundle import opened
from recsys.bundle.manifest import Manifest, seal_of, verify
from recsys.bundle.opened import open_bundle
from recsys.data.feature_table import Features
from recsys.errors import BundleError, UserError
from recsys.index.item_index import ItemIndex
from tests.bundle.made import made_bundle

FRAME = ["manifest.json", "record.json", "seal"]
NAMES = [
    "candidates.npy",
    "config.json",
    "feature0.item_offsets.npy",
    "feature0.labels.bytes.npy",
    "feature0.labels.offsets.npy",
    "feature0.values.npy",
    "features.json",
    "golden.json",
    "item_vectors.npy",
    "items.bytes.npy",
    "items.offsets.npy",
    "known.npy",
    *FRAME[:1],
    "metrics.json",
    "popularity.npy",
    *FRAME[1:2],
    "retriever.json",
    "retriever.safetensors",
    *FRAME[2:],
    "similar.index.json",
    "similar.vectors.npy",
    "titles.bytes.npy",
    "titles.offsets.npy",
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_bundle(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def bundle(sound: Path, tmp_path: Path) -> Path:
    """A copy to damage, under its own name."""
    return Path(shutil.copytree(sound, tmp_path / sound.name))


@pytest.fixture
def no_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading anything but the sealed manifest fails the test."""

    def parsed(*_: object, **__: object) -> None:
        raise AssertionError("a damaged bundle was parsed")

    def only_manifests(cls: type[BaseModel], data: bytes) -> Manifest:
        assert cls is Manifest
        return Manifest.model_validate(json.loads(data))

    monkeypatch.setattr(np, "load", parsed)
    monkeypatch.setattr(opened, "load_retriever", parsed)
    monkeypatch.setattr(ItemIndex, "open", parsed)
    monkeypatch.setattr(Features, "open", parsed)
    monkeypatch.setattr(BaseModel, "model_validate_json", classmethod(only_manifests))


def flip(place: float, bit: int) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[int(place * (len(data) - 1))] ^= 1 << bit
        path.write_bytes(data)

    return damage


def keep(share: float) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    return damage


def lose_last_byte(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def link(path: Path) -> None:
    """The right content, but elsewhere."""
    outside = path.parent.parent / "elsewhere"
    path.rename(outside)
    path.symlink_to(outside)


def become_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def become_zeros(path: Path) -> None:
    """Zeros, as a disk leaves them that lost its power."""
    path.write_bytes(bytes(path.stat().st_size))


DAMAGES = {
    **{f"flip at {place}, bit {bit}": flip(place, bit) for place, bit in itertools.product((0, 0.3, 0.6, 1), (0, 7))},
    "empty": keep(0),
    "half": keep(0.5),
    "without the last byte": lose_last_byte,
    "one byte more": append,
    "zeros": become_zeros,
    "missing": Path.unlink,
    "linked": link,
    "a directory": become_directory,
}
SWAPS = [(NAMES[n], NAMES[(n + step) % len(NAMES)]) for n in range(len(NAMES)) for step in (1, 2, 5)]


def test_the_list_of_files_is_complete_and_the_cases_are_many(sound: Path) -> None:
    assert sorted(path.name for path in sound.iterdir()) == sorted(NAMES)
    assert len(DAMAGES) * len(NAMES) + len(SWAPS) >= 200


@pytest.mark.usefixtures("no_parser")
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
@pytest.mark.parametrize("name", NAMES)
def test_damage_is_refused_by_name(bundle: Path, name: str, damage: Callable[[Path], None]) -> None:
    damage(bundle / name)
    refused(bundle, name)


@pytest.mark.usefixtures("no_parser")
@pytest.mark.parametrize(("one", "other"), SWAPS)
def test_two_files_that_changed_places_are_refused(bundle: Path, one: str, other: str) -> None:
    if (bundle / one).read_bytes() == (bundle / other).read_bytes():
        (bundle / one).write_bytes(b"")
    (bundle / one).rename(bundle / "kept")
    (bundle / other).rename(bundle / one)
    (bundle / "kept").rename(bundle / other)
    refused(bundle, one, other)


@pytest.mark.usefixtures("no_parser")
@pytest.mark.parametrize("name", ["more.npy", ".hidden", "model.pkl", "Manifest.json", "a\nb", "naïve.json"])
def test_a_file_too_many_is_refused(bundle: Path, name: str) -> None:
    (bundle / name).write_bytes(b"")
    refused(bundle, name)


@pytest.mark.usefixtures("no_parser")
def test_the_manifest_of_another_bundle_is_refused(bundle: Path) -> None:
    elsewhere = bundle.with_name("0123456789abcdef")
    bundle.rename(elsewhere)
    refused(elsewhere, "manifest.json")


def test_a_name_that_leads_out_of_the_bundle_is_refused(bundle: Path) -> None:
    bundle = resealed(bundle, lambda text: text.replace('"config.json"', '"../config.json"'))
    refused(bundle, "manifest.json")


def test_a_later_format_is_refused(bundle: Path) -> None:
    bundle = resealed(bundle, lambda text: text.replace('"format_version": 7', '"format_version": 8'))
    with pytest.raises(BundleError, match=r"manifest\.json has format_version 8, this library reads 7"):
        open_bundle(bundle)


def test_no_bundle_at_all_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no bundle at .*nowhere: give the directory that `recsys index` published"):
        open_bundle(tmp_path / "nowhere")
    (tmp_path / "bundle").mkdir()
    with pytest.raises(UserError, match=r"is a workdir, not a bundle: did you mean .*/bundle\?"):
        open_bundle(tmp_path)


def test_an_undamaged_copy_opens_under_any_name(bundle: Path) -> None:
    moved = bundle.rename(bundle.with_name("a copy"))
    assert verify(moved) == open_bundle(moved).manifest
    assert open_bundle(moved).content_id == bundle.name


def refused(bundle: Path, *names: str) -> None:
    """The message has one of the names, and says what to do."""
    with pytest.raises(BundleError, match=r"(?s)is refused: .*; publish it again, or restore a copy") as caught:
        open_bundle(bundle)
    assert caught.value.exit_code == 3
    assert any(f"is refused: {name} " in str(caught.value) for name in names), str(caught.value)


def resealed(bundle: Path, change: Callable[[str], str]) -> Path:
    """Somebody wrote a manifest of their own, with the right seal; the name would give it away."""
    manifest = change((bundle / "manifest.json").read_text()).encode()
    (bundle / "manifest.json").write_bytes(manifest)
    (bundle / "seal").write_bytes(seal_of(manifest, (bundle / "record.json").read_bytes()))
    return bundle.rename(bundle.with_name("resealed"))
