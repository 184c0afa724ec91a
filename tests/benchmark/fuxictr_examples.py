"""The examples of a workdir's ranker as FuxiCTR reads them, for `tests/benchmark/fuxictr_rankers.py`.

    python tests/benchmark/fuxictr_examples.py shop.yaml examples/

Needs `recsys prepare shop.yaml`. An event is the item, the first value of each of its features, and the first of each
feature of the click, which for the target is nothing: FuxiCTR's sequences have one value an event. Of the target, and
of the user, there are all values. What training never saw is 0, as it is for recsys.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from recsys.config import load_config
from recsys.data.dataset import Dataset, open_dataset
from recsys.data.example_batches import ExampleReader, RankingBatch
from recsys.data.examples import PARTS
from recsys.data.feature_table import Feature, dense_values
from recsys.stages.ranking import RankerData, ranker_section

VALUES = 5
"""Of a feature of several values, at most."""


class Columns:
    """What of the dataset an example has, field by field; `sizes` are those of the vocabularies."""

    def __init__(self, dataset: Dataset) -> None:
        trained_users = np.asarray(dataset.split.train_end) > np.asarray(dataset.histories.offsets[:-1])
        self.trained_items = np.asarray(dataset.trained_items)
        self.items = {one.name: _known(one, self.trained_items) for one in dataset.features.inputs}
        self.users = {one.name: _known(one, trained_users) for one in dataset.user_features.inputs}
        self.clicks = [one.name for one in dataset.click_features]
        features = [*dataset.features.inputs, *dataset.user_features.inputs, *dataset.click_features]
        self.sizes = {"item": len(dataset.items) + 1} | {one.name: one.num_values for one in features}

    def of(self, batch: RankingBatch, length: int) -> dict[str, np.ndarray]:
        moments, items = batch.moments, batch.items_HC.numpy().ravel()
        owners = np.repeat(np.arange(len(moments.lengths_H)), batch.items_HC.shape[1])
        history = np.zeros((len(moments.lengths_H), length), np.int64)
        history[:, : moments.items_HL.shape[1]] = moments.items_HL.numpy()
        known = lambda rows: np.where(self.trained_items[rows], rows, 0)  # noqa: E731
        columns = {
            "label": batch.labels_HC.numpy().ravel(),
            "item": known(items),
            "item_history": known(history)[owners],
        }
        for name, values in self.items.items():
            columns |= {name: values[items, 0], f"{name}_history": values[history, 0][owners]}
            columns |= {f"{name}_all": values[items]} if values.shape[1] > 1 else {}
        for name, mark in zip(self.clicks, moments.marks, strict=True):
            padded = np.zeros(history.shape, np.int64)
            padded[:, : mark.shape[1]] = mark[..., 0].numpy()
            columns |= {name: np.zeros(len(items), np.int64), f"{name}_history": padded[owners]}
        for name, values in self.users.items():
            columns[f"user_{name}"] = values[moments.users_H.numpy(), 0][owners]
        return columns


def _known(feature: Feature, trained: np.ndarray) -> np.ndarray:
    values = dense_values(feature)[:, :VALUES]
    return np.where(np.isin(values, np.unique(values[trained])), values, 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("directory", type=Path)
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_args()
    config = load_config(arguments.config, arguments.overrides)
    dataset = open_dataset(config.workdir / "dataset")
    data = RankerData(config, dataset, config.workdir / "model", print)
    length, columns = ranker_section(config).model.max_length, Columns(dataset)
    arguments.directory.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        examples = data.examples(part)
        parts = [columns.of(batch, length) for batch in ExampleReader(dataset, examples, length).in_order(65_536)]
        found = {name: np.concatenate([one[name] for one in parts]).astype(np.int32) for name in parts[0]}
        np.savez(arguments.directory / f"{part}.npz", **found)
        np.savez(arguments.directory / f"{part}_asked.npz", user=examples.user_of_each, item=examples.items.ravel())
        print(f"{part}: {len(examples):,} examples")
    facts = {
        "sizes": columns.sizes,
        "items": list(columns.items),
        "clicks": columns.clicks,
        "users": list(columns.users),
    }
    (arguments.directory / "facts.json").write_text(json.dumps(facts | {"length": length}, indent=1))


if __name__ == "__main__":
    main()
