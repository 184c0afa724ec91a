"""What a ranker's predictions of the test part are worth, and the predictions themselves, in files."""

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.data.dataset import Dataset
from recsys.data.examples import Examples
from recsys.durable import replaced_file, write_json
from recsys.evaluation.calibration import binned
from recsys.evaluation.clicks import Predictions
from recsys.evaluation.outcome import CLICKS, PREDICTIONS, Estimate
from recsys.evaluation.report.contents import Calibration
from recsys.section import Section

RESAMPLES = 1_000
NUM_BINS = 12
OF_PROBABILITIES = ("log loss", "calibration error")


class ClickResult(Section):
    """How well the clicks of the test part are predicted, with 95 % intervals of a bootstrap over users."""

    metrics: dict[str, Estimate]
    examples: int
    users: int
    clicked: float
    """Share of the examples with label 1."""
    without_history: int
    """Examples before which the user had clicked nothing."""
    unknown_items: int
    """Examples whose item nobody clicked in training: only its features are read."""

    def lines(self) -> list[str]:
        metrics = (
            f"  {name:<18} {one.value:.4f} [{one.low:.4f}, {one.high:.4f}]" for name, one in self.metrics.items()
        )
        return [
            f"{self.examples:,} test examples of {self.users:,} users, {self.clicked:.1%} of them clicked:",
            *metrics,
            f"{self.without_history:,} had no history, {self.unknown_items:,} an item unknown in training",
        ]


def write_predictions(
    dataset: Dataset, examples: Examples, logits: NDArray[np.float64], directory: Path, *, is_calibrated: bool = True
) -> ClickResult:
    """clicks.json, and predictions.parquet: user, item (indices of the dataset), label, logit.

    What asks how probable a click is is left out where logits do not say.
    """
    labels, items, users = examples.labels.ravel(), examples.items.ravel(), examples.user_of_each
    estimates = Predictions(logits, labels.astype(np.float64), users).estimates(resamples=RESAMPLES, seed=0)
    begins = np.asarray(dataset.histories.offsets)[examples.users]
    result = ClickResult(
        metrics={name: one for name, one in estimates.items() if is_calibrated or name not in OF_PROBABILITIES},
        examples=len(examples),
        users=len(np.unique(examples.users)),
        clicked=float(labels.mean()) if len(examples) else 0.0,
        without_history=int((examples.ends == begins).sum()) * examples.num_candidates,
        unknown_items=int((~dataset.trained_items[items]).sum()),
    )
    columns = {"user": users, "item": items, "label": labels, "logit": logits}
    with replaced_file(directory / PREDICTIONS) as temporary:
        pl.DataFrame(columns).write_parquet(temporary)
    write_json(directory / CLICKS, result.model_dump(mode="json"))
    return result


def reliability(directory: Path) -> Calibration:
    """Of the predictions that `write_predictions` left there."""
    frame = pl.read_parquet(directory / PREDICTIONS, columns=["logit", "label"])
    return binned(1.0 / (1.0 + np.exp(-frame["logit"].to_numpy())), frame["label"].to_numpy() == 1, NUM_BINS)
