"""What a configuration leaves to the log: keys nobody has set get the value that a log of its kind wants.

The rules count training clicks, and items that may be recommended, so no held-out click has a say. Each is one line,
and is told when training starts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import JsonValue

from recsys.data.dataset import Dataset
from recsys.data.windows import training_windows

EXACT_ITEMS, AVERAGED_ITEMS = 20_000, 100_000
"""Beyond so many items the softmax is sampled, and weights are not averaged: both cost as the catalogue is large."""


@dataclass(frozen=True)
class LogStatistics:
    """Of the clicks that train. `usual_length`: 99 % of histories have at most so many clicks."""

    num_clicks: int
    num_items: int
    usual_length: int

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        windows = training_windows(dataset.histories, dataset.split)
        lengths = windows.stops - windows.starts
        return cls(
            num_clicks=int(dataset.training_counts().sum()),
            num_items=int(dataset.candidates.sum()),
            usual_length=int(np.quantile(lengths, 0.99)) if len(lengths) else 1,
        )

    @property
    def clicks_per_item(self) -> float:
        return self.num_clicks / max(1, self.num_items)


@dataclass(frozen=True)
class Choice:
    """A value for a dotted key, and why, in words that name what was counted."""

    key: str
    value: JsonValue
    reason: str


def max_length(log: LogStatistics) -> Choice:
    """As many clicks as nearly every history has, up to 200: attention to what is longer costs more than it brings."""
    value = min(200, max(10, log.usual_length))
    return Choice("model.max_length", value, f"99 % of histories have at most {log.usual_length:,} clicks")


def dropout(log: LogStatistics) -> Choice:
    """The fewer clicks an item has, the more a model remembers of each, and the more it must forget."""
    value = 0.5 if log.clicks_per_item < 30 else 0.3 if log.clicks_per_item < 150 else 0.2
    return Choice("model.dropout", value, f"{log.clicks_per_item:,.0f} training clicks an item")


def batch_tokens(log: LogStatistics) -> Choice:
    """150 to 300 steps an epoch: fewer leave a small log undertrained after many epochs."""
    value = int(2 ** np.clip(np.floor(np.log2(max(1.0, log.num_clicks / 150))), 8, 12))
    return Choice("training.batch_tokens", value, f"{log.num_clicks:,} training clicks")


def objective(log: LogStatistics) -> Choice:
    """The exact softmax up to 20,000 items; beyond, a sample of the catalogue costs a fraction of it."""
    exact: JsonValue = {"kind": "softmax"}
    sampled: JsonValue = {
        "kind": "sampled_softmax",
        "num_negatives": 2048,
        "negatives": {"uniform": 1.0, "in_batch": 1.0},
    }
    return Choice("training.objective", exact if log.num_items <= EXACT_ITEMS else sampled, f"{log.num_items:,} items")


def learning_rate(log: LogStatistics) -> Choice:
    """Against a sample an item's vector moves only in the steps that use it: further each time, then."""
    value = 4e-3 if log.num_items <= EXACT_ITEMS else 8e-3
    return Choice("training.optimizer.learning_rate", value, f"{log.num_items:,} items")


def average_decay(log: LogStatistics) -> Choice:
    """Averaged weights are good at any learning rate; of a very large table they would cost as much as a step."""
    value = 0.998 if log.num_items <= AVERAGED_ITEMS else 0.0
    return Choice("training.average_decay", value, f"{log.num_items:,} items")


RULES: dict[str, Callable[[LogStatistics], Choice]] = {
    "model.max_length": max_length,
    "model.dropout": dropout,
    "training.batch_tokens": batch_tokens,
    "training.objective": objective,
    "training.optimizer.learning_rate": learning_rate,
    "training.average_decay": average_decay,
}
