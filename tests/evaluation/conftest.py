"""Datasets made by hand from lists of clicks, and what the tests of this room ask of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from recsys.data.dataset import Dataset, DatasetManifest
from recsys.data.feature_table import Features
from recsys.data.histories import Histories
from recsys.data.split import Split
from recsys.data.texts import Texts
from recsys.data.vocabulary import NumberVocabulary, TextVocabulary
from recsys.model.retriever import Retriever, RetrieverConfig


def dataset_of(
    clicks: Sequence[Sequence[int]],
    *,
    num_items: int,
    train: Sequence[int] | None = None,
    validation: Sequence[int] | None = None,
    split: str = "leave_last_out",
) -> Dataset:
    """User n + 1 clicked clicks[n]; the first train[n] of them train, the next validation[n] validate.

    By default the last click tests and the last but one validates. Users are texts, items multiples of ten.
    """
    lengths = np.array([len(history) for history in clicks])
    offsets = np.concatenate([[0, 0], np.cumsum(lengths)])
    items = np.concatenate([np.asarray(history, dtype=np.int32) for history in clicks])
    training = lengths - 2 if train is None else np.asarray(train)
    validating = np.ones_like(lengths) if validation is None else np.asarray(validation)
    train_end = offsets[:-1] + np.concatenate([[0], training])
    split_at = Split(train_end, train_end + np.concatenate([[0], validating]))
    histories = Histories(items, _times(split_at, offsets, split), offsets)
    trained = np.zeros(num_items + 1, dtype=bool)
    trained[items[split_at.in_training(histories)]] = True
    everything = np.arange(num_items + 1) > 0
    return Dataset(
        directory=Path("nowhere"),
        manifest=DatasetManifest(split=split, time_kind="order", files={}, fingerprint="by hand"),
        users=TextVocabulary(Texts.of(f"u{n:04}" for n in range(len(clicks)))),
        items=NumberVocabulary(np.arange(1, num_items + 1, dtype=np.int32) * 10),
        histories=histories,
        split=split_at,
        trained_items=trained,
        candidates=everything if split == "leave_last_out" else trained,
        features=Features(),
        titles=None,
    )


def _times(split_at: Split, offsets: np.ndarray, split: str) -> np.ndarray:
    """User after user; by time, the validation clicks of all users after all that trains, and the test clicks last."""
    clicks = np.arange(offsets[-1])
    if split != "by_time":
        return clicks
    users = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    part = (clicks >= split_at.train_end[users]).astype(int) + (clicks >= split_at.validation_end[users])
    return part * len(clicks) + clicks


def random_clicks(seed: int = 0, num_users: int = 50, num_items: int = 30) -> list[list[int]]:
    random = np.random.default_rng(seed)
    return [random.integers(1, num_items + 1, int(random.integers(3, 20))).tolist() for _ in range(num_users)]


@pytest.fixture
def dataset() -> Dataset:
    """50 users, 30 items, leave-last-out; clicks repeat."""
    return dataset_of(random_clicks(), num_items=30)


@pytest.fixture
def dataset_by_time() -> Dataset:
    """Items 29 to 31 are never trained on; users 1 and 2 have no readable click before their last one."""
    clicks = [[29, 29, 3], [30, 30, 29, 4], *random_clicks(1, num_items=28), [1, 2, 29, 5], [1, 2, 3, 31]]
    train = [0, 0, *(len(history) - 2 for history in clicks[2:-2]), 2, 2]
    return dataset_of(clicks, num_items=31, train=train, validation=[1] * len(clicks), split="by_time")


@pytest.fixture
def retriever_of():
    def build(dataset: Dataset) -> Retriever:
        torch.manual_seed(0)
        config = RetrieverConfig.model_validate({"dim": 8, "max_length": 6, "num_blocks": 1})
        return Retriever.for_catalogue(config, len(dataset.items), dataset.features)

    return build
