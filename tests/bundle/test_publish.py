"""A bundle is named by its content, appears whole or not at all, and the pointer moves in one step."""

import pickletools
from pathlib import Path

import numpy as np
import pytest

from recsys import durable
from recsys.bundle.contents import BundleContents
from recsys.bundle.manifest import Record
from recsys.bundle.opened import open_bundle
from recsys.bundle.publish import publish
from recsys.data.dataset import Dataset
from recsys.errors import UserError
from recsys.model.store import load_retriever
from tests.bundle.made import NUM_ITEMS, RECORD, made_contents, made_dataset

LATER = Record(published="2027-01-01T00:00:00+00:00", trained=RECORD.trained)


class Died(BaseException):
    """What stands for the end of the process."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return made_dataset(tmp_path_factory.mktemp("made") / "dataset")


@pytest.fixture
def contents(dataset: Dataset) -> BundleContents:
    return made_contents(dataset)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_what_was_published_is_what_opens(contents: BundleContents, dataset: Dataset, tmp_path: Path) -> None:
    bundle = open_bundle(publish(contents, tmp_path, RECORD))
    assert list(bundle.items) == list(dataset.items)
    assert bundle.record.model_copy(update={"lookups": None}) == RECORD
    assert bundle.record.lookups is not None and bundle.record.lookups.index["p50"] > 0
    assert (bundle.manifest.num_items, bundle.manifest.max_length) == (NUM_ITEMS, 6)
    assert bundle.manifest.recommend_metric == "dot"
    np.testing.assert_array_equal(bundle.popularity, dataset.training_counts())
    np.testing.assert_array_equal(bundle.item_vectors, contents.retriever.item_vectors().detach().numpy())
    assert len(bundle.index) == bundle.candidates.sum() == NUM_ITEMS
    assert not bundle.known[0] and not bundle.candidates[0]
    assert bundle.titles is not None and bundle.titles.of(2) == "Film 2 (1999)"
    assert [feature.name for feature in bundle.features] == ["genre"]
    for name, weights in load_retriever(bundle.path).state_dict().items():
        np.testing.assert_array_equal(weights, contents.retriever.state_dict()[name])


def test_equal_content_has_equal_names_wherever_and_whenever(dataset: Dataset, tmp_path: Path) -> None:
    here = publish(made_contents(dataset), tmp_path / "here", RECORD)
    for number in range(8):  # as often as chance might hide an order that differs
        there = publish(made_contents(dataset), tmp_path / f"there{number}", LATER)
        assert here.name == there.name
        assert (here / "manifest.json").read_bytes() == (there / "manifest.json").read_bytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"config": {"seed": 1}},
        {"metrics": {"ndcg@10": 0.26}},
        {"titles": None},
        {"popularity": np.arange(NUM_ITEMS + 1)},
    ],
    ids=str,
)
def test_other_content_has_another_name(dataset: Dataset, tmp_path: Path, changes: dict[str, object]) -> None:
    one = publish(made_contents(dataset), tmp_path, RECORD)
    other = publish(made_contents(dataset, **changes), tmp_path, RECORD)
    assert one.name != other.name
    assert (tmp_path / "bundle").resolve() == other
    assert open_bundle(one).path == one, "an earlier bundle stays what it was"


def test_the_pointer_is_a_relative_link(contents: BundleContents, tmp_path: Path) -> None:
    published = publish(contents, tmp_path / "run", RECORD)
    assert (tmp_path / "run" / "bundle").readlink() == Path("bundles", published.name)
    (tmp_path / "run").rename(tmp_path / "moved")
    assert open_bundle(tmp_path / "moved" / "bundle").path == tmp_path / "moved" / "bundles" / published.name


def test_publishing_twice_changes_nothing(contents: BundleContents, tmp_path: Path) -> None:
    published = publish(contents, tmp_path, RECORD)
    before = {path.name: path.stat().st_mtime_ns for path in published.iterdir()}
    assert publish(contents, tmp_path, LATER) == published
    assert {path.name: path.stat().st_mtime_ns for path in published.iterdir()} == before
    assert names(tmp_path) == ["bundle", "bundles"]
    assert names(tmp_path / "bundles") == [published.name]


def test_publishing_mends_a_damaged_bundle(contents: BundleContents, tmp_path: Path) -> None:
    published = publish(contents, tmp_path, RECORD)
    (published / "known.npy").unlink()
    assert publish(contents, tmp_path, LATER) == published
    assert open_bundle(published).record.published == LATER.published
    assert names(tmp_path / "bundles") == [published.name]


def test_a_crash_at_any_step_leaves_the_old_bundle_or_the_new_one(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pointer = tmp_path / "bundle"
    old = publish(made_contents(dataset), tmp_path, RECORD)
    new = made_contents(dataset, seed=1)
    num_steps = 0
    while not published_in(new, tmp_path, num_steps, monkeypatch):
        assert open_bundle(pointer).path == old
        num_steps += 1
    assert num_steps > 3
    assert open_bundle(pointer).path != old
    assert len(names(tmp_path / "bundles")) == 2


def published_in(contents: BundleContents, workdir: Path, num_steps: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Publish, and die before the durable step after so many; whether all steps were done."""
    left = iter(range(num_steps))

    def die(path: Path) -> None:
        if next(left, None) is None:
            raise Died(path)

    monkeypatch.setattr(durable, "before_write", die)
    try:
        publish(contents, workdir, LATER)
    except Died:
        return False
    return True


def test_no_file_is_a_pickle(contents: BundleContents, tmp_path: Path) -> None:
    for path in publish(contents, tmp_path, RECORD).iterdir():
        if path.suffix == ".npy":
            assert not np.load(path, allow_pickle=False).dtype.hasobject
        with pytest.raises(ValueError, match=r".*"), path.open("rb") as file:
            list(pickletools.genops(file))
        assert b"PK\x03\x04" not in path.read_bytes()[:4], "a zip, in which torch.save hides its pickle"


def test_vectors_that_are_not_numbers_are_refused(contents: BundleContents, tmp_path: Path) -> None:
    contents.retriever.clicked.weight_VD.data[3] = np.nan
    with pytest.raises(
        UserError, match=r"item vectors must be finite: training diverged, lower training\.learning_rate"
    ):
        publish(contents, tmp_path, RECORD)
    assert not (tmp_path / "bundle").exists()
