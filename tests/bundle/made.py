"""A dataset and a bundle made by hand: nothing was prepared or trained, so that nothing else can be at fault."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recsys.bundle.contents import BundleContents
from recsys.bundle.manifest import Record
from recsys.bundle.opened import open_bundle
from recsys.bundle.publish import publish
from recsys.data.dataset import ITEMS, USERS, Dataset, DatasetManifest, open_dataset
from recsys.data.feature_table import Feature, Features
from recsys.data.histories import Histories
from recsys.data.split import Cuts, split_by_time, split_leave_last_out
from recsys.data.texts import Texts
from recsys.data.titles import Titles
from recsys.data.vocabulary import NumberVocabulary, TextVocabulary, Vocabulary
from recsys.model.retriever import Retriever, RetrieverConfig
from recsys.recommender import Recommender

NUM_USERS, NUM_ITEMS, MAX_LENGTH = 50, 40, 6
RECORD = Record(published="2026-01-02T03:04:05+00:00", trained="2026-01-01T00:00:00+00:00")


def made_dataset(directory: Path, *, by_time: bool = False, has_numbers: bool = False) -> Dataset:
    """By time, the three items with the largest ids are clicked only after training has ended."""
    directory.mkdir(parents=True)
    random = np.random.default_rng(5)
    lengths = random.integers(2, 15, NUM_USERS)
    offsets = np.concatenate([[0, 0], np.cumsum(lengths)]).astype(np.int64)
    times = np.concatenate([np.sort(random.choice(10_000, n, replace=False)) for n in lengths]).astype(np.int64)
    items = random.integers(1, NUM_ITEMS - 2, offsets[-1]).astype(np.int32)
    late = np.flatnonzero(times > 9_500)
    items[late] = random.integers(NUM_ITEMS - 2, NUM_ITEMS + 1, len(late))
    histories = Histories(items, times, offsets)
    split = (
        split_by_time(histories, Cuts.of(histories.times, test_share=0.1, validation_share=0.1))
        if by_time
        else split_leave_last_out(histories)
    )
    trained = np.zeros(NUM_ITEMS + 1, dtype=bool)
    trained[items[split.in_training(histories)]] = True
    histories.save(directory)
    split.save(directory)
    vocabulary("u", NUM_USERS, has_numbers).save(directory, USERS)
    vocabulary("i", NUM_ITEMS, has_numbers).save(directory, ITEMS)
    np.save(directory / "trained_items.npy", trained)
    np.save(directory / "candidates.npy", trained if by_time else np.arange(NUM_ITEMS + 1) > 0)
    _genres().save(directory)
    Features().save(directory, "user")
    Titles(Texts.of(["", *(f"Film {number} (1999)" for number in range(1, NUM_ITEMS)), ""])).save(directory)
    kind = "by_time" if by_time else "leave_last_out"
    DatasetManifest.of(directory, split=kind, time_kind="calendar").save(directory)
    return open_dataset(directory)


def vocabulary(letter: str, size: int, has_numbers: bool) -> Vocabulary:
    """u010, u020 ... or 10, 20 ..."""
    if has_numbers:
        return NumberVocabulary(np.arange(1, size + 1, dtype=np.int64) * 10)
    return TextVocabulary(Texts.of(f"{letter}{number * 10:03}" for number in range(1, size + 1)))


def _genres() -> Features:
    values = np.arange(NUM_ITEMS, dtype=np.int32) % 3 + 1
    offsets = np.concatenate([[0], np.arange(NUM_ITEMS + 1)]).astype(np.int64)
    return Features([Feature("genre", True, 4, values, offsets, Texts.of(["Drama", "Crime", "Comedy"]))])


def made_contents(
    dataset: Dataset, seed: int = 0, *, model: dict[str, Any] | None = None, **changes: Any
) -> BundleContents:
    torch.manual_seed(seed)
    config = RetrieverConfig.model_validate({"dim": 8, "num_blocks": 1, "max_length": MAX_LENGTH, **(model or {})})
    retriever = Retriever.for_catalogue(config, len(dataset.items), dataset.features).eval()
    contents = BundleContents.of(dataset, retriever, config={"seed": seed}, metrics={"ndcg@10": 0.25})
    return dataclasses.replace(contents, **changes)


def made_bundle(workdir: Path, **kinds: bool) -> Path:
    """The published directory."""
    return publish(made_contents(made_dataset(workdir / "dataset", **kinds)), workdir, RECORD)


def made_recommender(workdir: Path, **kinds: bool) -> Recommender:
    return Recommender(open_bundle(made_bundle(workdir, **kinds)))
