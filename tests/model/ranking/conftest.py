"""A small labelled log whose clicks carry what was known before them and what was known only afterwards."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recsys.data.click_columns import ClickFeature, ClickFeatures
from recsys.data.dataset import Dataset
from recsys.data.example_batches import ExampleReader
from recsys.data.examples import labelled_examples
from recsys.data.feature_table import Feature, Features
from recsys.data.histories import Histories
from recsys.data.texts import Texts
from recsys.model.ranking.ranker import Ranker, RankerConfig
from tests.bundle.made import NUM_USERS, made_dataset

MODELS = {
    "bst": {"interest": {"kind": "bst", "positions": {"kind": "time", "unit_seconds": 1e-6}}},
    "bst of 3": {"interest": {"kind": "bst", "num_blocks": 3, "positions": {"kind": "index"}}},
    "bst, mean": {
        "interest": {"kind": "bst", "pooling": "mean", "residual": "pre_norm", "positions": {"kind": "none"}}
    },
    "din": {"interest": {"kind": "din"}},
    "mean": {"interest": {"kind": "mean"}, "wide": True, "crosses": [["group", "genre"]]},
    "mean, follows": {"interest": {"kind": "mean"}, "covisitation": True},
    "none": {"interest": {"kind": "none"}, "wide": True},
}
READS_HISTORY = [name for name in MODELS if name != "none"]


def _feature(name: str, is_context: bool, random: np.random.Generator, num_clicks: int) -> ClickFeature:
    values = random.integers(0, 4, (num_clicks, 2)).astype(np.int32)
    return ClickFeature(name, is_context, 4, values, Texts.of(["a", "b", "c"]))


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    dataset, random = (
        made_dataset(tmp_path_factory.mktemp("labelled") / "dataset", by_time=True),
        np.random.default_rng(2),
    )
    histories, num_clicks = dataset.histories, dataset.histories.num_events
    groups = np.append(0, random.integers(1, 4, NUM_USERS)).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(groups > 0)])
    return replace(
        dataset,
        histories=Histories(np.array(histories.items), np.array(histories.times) // 100, np.array(histories.offsets)),
        user_features=Features([Feature("group", True, 4, groups[1:], offsets, Texts.of(["x", "y", "z"]))]),
        click_features=ClickFeatures(
            [_feature("device", True, random, num_clicks), _feature("liked", False, random, num_clicks)]
        ),
        labels=random.integers(0, 2, num_clicks).astype(np.uint8),
    )


def ranker_of(dataset: Dataset, **model) -> Ranker:
    torch.manual_seed(0)
    config = {"dim": 8, "max_length": 6, "hidden": (16, 8), **model}
    ranker = Ranker.for_dataset(RankerConfig.model_validate(config), dataset).eval()
    for parameter in ranker.parameters():
        if parameter.ndim <= 1 or parameter.std() < 1e-3:  # what begins at zero would hide a fault
            torch.nn.init.normal_(parameter, std=0.5)
    return ranker


@pytest.fixture(params=MODELS)
def ranker(request, labelled) -> Ranker:
    return ranker_of(labelled, **MODELS[request.param])


@torch.inference_mode()
def logits_of(ranker: Ranker, dataset: Dataset, rows=None) -> torch.Tensor:
    """Of the test examples, or some of them."""
    reader = ExampleReader(dataset, labelled_examples(dataset, "test"), ranker.config.max_length)
    return ranker(reader.batch(np.arange(len(reader.examples)) if rows is None else np.asarray(rows)))[:, 0]
