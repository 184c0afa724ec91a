"""FuxiCTR's BST and DIN on exported examples, for `recsys compare RUN predictions.parquet`.

Runs where FuxiCTR 2.3 is installed (`pip install "fuxictr>=2.3,<2.4"`), which this project does not need, beside a
clone of it, whose model_zoo has the models:

    python tests/benchmark/fuxictr_examples.py shop.yaml examples/
    python tests/benchmark/fuxictr_rankers.py examples/ predictions.parquet --zoo FuxiCTR/model_zoo --model BST

Its defaults but for what is said on the command line: Adam 1e-3, its loader, early stopping by validation AUC. Tells
training examples a second (validation left out) and the process's peak memory.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from fuxictr.features import FeatureMap
from fuxictr.pytorch.dataloaders.npz_dataloader import NpzDataLoader


def feature_map_of(directory: Path, dim: int) -> FeatureMap:
    facts = json.loads((directory / "facts.json").read_text())
    columns = np.load(directory / "test.npz")
    found = FeatureMap("examples", str(directory))
    events = ["item", *facts["items"], *facts["clicks"]]
    features: OrderedDict[str, dict[str, Any]] = OrderedDict()
    for name in events:
        size = facts["sizes"][name]
        features[name] = {"source": "", "type": "categorical", "vocab_size": size, "padding_idx": 0}
        features[f"{name}_history"] = {
            **features[name], "type": "sequence", "max_len": facts["length"], "share_embedding": name,
        }  # fmt: skip
        if f"{name}_all" in columns:
            features[f"{name}_all"] = {
                **features[f"{name}_history"], "max_len": columns[f"{name}_all"].shape[1],
                "feature_encoder": "layers.MaskedAveragePooling()",
            }  # fmt: skip
    for name in facts["users"]:
        size = facts["sizes"][name]
        features[f"user_{name}"] = {"source": "", "type": "categorical", "vocab_size": size, "padding_idx": 0}
    found.features, found.labels, found.default_emb_dim = features, ["label"], dim
    found.num_fields = found.get_num_fields()
    found.set_column_index()
    return found


def model_of(name: str, features: FeatureMap, arguments: argparse.Namespace, place: str) -> Any:
    sys.path.insert(0, str(arguments.zoo / name / "src"))
    maker = getattr(__import__(name), name)
    events = tuple(one for one in features.features if f"{one}_history" in features.features)
    histories = tuple(f"{one}_history" for one in events)
    key = name.lower()
    own = {"num_heads": 8} if name == "BST" else {}
    return maker(
        features,
        model_id=name,
        gpu=-1,
        verbose=0,
        model_root=place,
        metrics=["AUC", "logloss"],
        monitor="AUC",
        optimizer="adam",
        loss="binary_crossentropy",
        learning_rate=1e-3,
        embedding_dim=arguments.dim,
        dnn_hidden_units=[1024, 512, 256],
        net_dropout=arguments.dropout,
        **{f"{key}_target_field": [events], f"{key}_sequence_field": [histories]},
        **own,
    )


class Stopwatch:
    """A function that adds up how long it takes."""

    def __init__(self, function: Any) -> None:
        self.function, self.seconds = function, 0.0

    def __call__(self, *arguments: Any) -> Any:
        started = time.perf_counter()
        found = self.function(*arguments)
        self.seconds += time.perf_counter() - started
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("predictions", type=Path)
    parser.add_argument("--zoo", type=Path, required=True, help="model_zoo of a clone of FuxiCTR")
    parser.add_argument("--model", choices=["BST", "DIN"], default="BST")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--dim", type=int, default=16)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    features = feature_map_of(arguments.directory, arguments.dim)
    loaders = [
        NpzDataLoader(features, str(arguments.directory / part), arguments.batch_size, shuffle, num_workers=0)
        for part, shuffle in (("training.npz", True), ("validation.npz", False), ("test.npz", False))
    ]
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "examples").mkdir()
        model = model_of(arguments.model, features, arguments, place)
        model.eval_step = validation = Stopwatch(model.eval_step)
        started = time.perf_counter()
        model.fit(loaders[0], epochs=arguments.epochs, validation_data=loaders[1])
        seconds = time.perf_counter() - started - validation.seconds
        probabilities = np.clip(model.predict(loaders[2]), 1e-7, 1 - 1e-7)
    asked, test = np.load(arguments.directory / "test_asked.npz"), np.load(arguments.directory / "test.npz")
    logits = np.log(probabilities) - np.log1p(-probabilities)
    frame = {"user": asked["user"], "item": asked["item"], "label": test["label"].astype(np.uint8), "logit": logits}
    pl.DataFrame(frame).write_parquet(arguments.predictions)
    examples = loaders[0].num_samples * (model._epoch_index + 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{arguments.model}: {examples / seconds:,.0f} training examples/s, {seconds:.0f} s, peak memory {peak:,.0f} MB"
    )


if __name__ == "__main__":
    main()
