"""Opens a prepared dataset: a directory of arrays, memory-mapped, with a manifest of their checksums.

dataset.json                            format, kinds of split and time, sha256 and fingerprint of the files
items.npy times.npy offsets.npy         the clicks (histories.py)
train_end.npy validation_end.npy        the split (split.py)
users.* catalogue.*                     the vocabularies
trained_items.npy candidates.npy        masks over items, row 0 included
features.json feature0.* ... titles.*   the item table, where there is one
user_features.json user_feature0.* ...  the user table
labels.npy click_features.json ...      what clicks carry, where the log tells
data_report.json rejected.parquet       for people
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from recsys.data.click_columns import ClickFeatures, open_labels
from recsys.data.events.config import TimeKind
from recsys.data.feature_table import Features
from recsys.data.histories import Histories
from recsys.data.split import Split
from recsys.data.titles import Titles
from recsys.data.vocabulary import Vocabulary
from recsys.durable import fingerprint, json_bytes, sha256_of
from recsys.errors import BundleError, DataError
from recsys.section import Section

MANIFEST = "dataset.json"
USERS, ITEMS = "users", "catalogue"
REPORT, REJECTED = "data_report.json", "rejected.parquet"
FOR_PEOPLE = {REPORT, REJECTED}
"""They tell the log's path, of which nothing else is a function: no part of the fingerprint."""
SplitKind = Literal["leave_last_out", "by_time", "by_column"]


class DatasetManifest(Section):
    format_version: Literal[3] = 3
    split: SplitKind
    time_kind: TimeKind
    files: dict[str, str]
    """sha256 of every other file."""
    fingerprint: str
    """Of what can be computed with: without the files that are for people."""

    @classmethod
    def of(cls, directory: Path, *, split: SplitKind, time_kind: TimeKind) -> "DatasetManifest":
        """Describes the files that lie in the directory."""
        files = {path.name: sha256_of(path) for path in sorted(directory.iterdir())}
        parts = [text for name, sha256 in files.items() if name not in FOR_PEOPLE for text in (name, sha256)]
        return cls(split=split, time_kind=time_kind, files=files, fingerprint=fingerprint(split, *parts))

    def save(self, directory: Path) -> None:
        (directory / MANIFEST).write_bytes(json_bytes(self.model_dump(mode="json")))


@dataclass(frozen=True)
class Dataset:
    """Everything training and evaluation read. Masks are indexed by item, row 0 being padding."""

    directory: Path
    manifest: DatasetManifest
    users: Vocabulary
    items: Vocabulary
    histories: Histories
    split: Split
    trained_items: NDArray[np.bool_]
    candidates: NDArray[np.bool_]
    features: Features
    titles: Titles | None
    user_features: Features = field(default_factory=Features)
    click_features: ClickFeatures = field(default_factory=ClickFeatures)
    labels: NDArray[np.uint8] | None = None
    """[clicks] whether each was clicked, or liked; None where the log does not tell."""

    @property
    def fingerprint(self) -> str:
        return self.manifest.fingerprint

    @property
    def skips_untrained(self) -> bool:
        """Whether items never clicked in training are left out of the histories that the model reads.

        Under leave-one-out, the whole catalogue is known and ranked, as in the literature.
        """
        return self.manifest.split != "leave_last_out"

    @property
    def known_items(self) -> NDArray[np.bool_]:
        """[items + 1] whether the model may read clicks on an item; nobody may on padding."""
        known = np.array(self.trained_items) if self.skips_untrained else np.ones_like(self.trained_items)
        known[0] = False
        return known

    def training_counts(self) -> NDArray[np.int64]:
        """[items + 1] how often each item was clicked in training."""
        return self._training_counts.copy()

    @cached_property
    def _training_counts(self) -> NDArray[np.int64]:
        clicked = np.asarray(self.histories.items)[self.split.in_training(self.histories)]
        return np.bincount(clicked, minlength=len(self.items) + 1)

    def training_lifetime(self) -> tuple[int, int]:
        """Times of the first and of the last training click; (0, 0) without one."""
        starts, ends = np.asarray(self.histories.offsets[:-1]), np.asarray(self.split.train_end)
        trains = ends > starts
        if not trains.any():
            return 0, 0
        times = self.histories.times  # each user's by rising time
        return int(times[starts[trains]].min()), int(times[ends[trains] - 1].max())

    def with_validation(self) -> "Dataset":
        """The same with the validation clicks among those that train. Candidates and known items stay as they are."""
        return replace(self, split=Split(self.split.validation_end, self.split.validation_end))

    def __reduce__(self) -> tuple[Callable[[Path, bool], "Dataset"], tuple[Path, bool]]:
        trains_all = self.split.train_end is self.split.validation_end
        return _reopened, (self.directory, trains_all)


def read_manifest(directory: Path) -> DatasetManifest:
    """The manifest alone; DataError where there is no dataset, BundleError where its manifest is damaged."""
    path = directory / MANIFEST
    if not path.is_file():
        raise DataError(f"no prepared dataset at {directory}: run `recsys prepare` first")
    try:
        return DatasetManifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise _damaged(path, error.errors(include_url=False)[0]["msg"]) from None


def open_dataset(directory: Path) -> Dataset:
    """The dataset, once every file's checksum has been found right; BundleError names the one that is not."""
    manifest = read_manifest(directory)
    for name, expected in manifest.files.items():
        if not (directory / name).is_file():
            raise _damaged(directory / name, "it is missing")
        if sha256_of(directory / name) != expected:
            raise _damaged(directory / name, "it does not match its checksum")
    return Dataset(
        directory=directory,
        manifest=manifest,
        users=Vocabulary.open(directory, USERS),
        items=Vocabulary.open(directory, ITEMS),
        histories=Histories.open(directory),
        split=Split.open(directory),
        trained_items=np.load(directory / "trained_items.npy"),
        candidates=np.load(directory / "candidates.npy"),
        features=Features.open(directory),
        titles=Titles.open(directory),
        user_features=Features.open(directory, "user"),
        click_features=ClickFeatures.open(directory),
        labels=open_labels(directory),
    )


def _reopened(directory: Path, trains_all: bool) -> Dataset:
    dataset = open_dataset(directory)
    return dataset.with_validation() if trains_all else dataset


def _damaged(path: Path, what: str) -> BundleError:
    return BundleError(f"{path} is damaged: {what}; run `recsys prepare` again after deleting {path.parent}")
