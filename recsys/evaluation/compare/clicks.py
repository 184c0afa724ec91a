"""Two or more rankers on the same test examples, each perhaps trained with several seeds: which predicts better?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.errors import BundleError, DataError
from recsys.evaluation.click_result import OF_PROBABILITIES
from recsys.evaluation.clicks import CLICK_METRICS, Predictions
from recsys.evaluation.compare.click_report import ClickComparison
from recsys.evaluation.compare.report import ComparedSystem
from recsys.evaluation.outcome import Comparison, Estimate
from recsys.evaluation.results import estimate
from recsys.evaluation.significance import SeedNoise, holm, p_value, with_seed_noise

Float64 = NDArray[np.float64]
RESAMPLES = 1_000
SEED = 0
COLUMNS = {"user": pl.Int64, "item": pl.Int64, "label": pl.Float64, "logit": pl.Float64}


@dataclass(frozen=True)
class Predicted:
    """A file of one ranker's predictions. Those of one `group` are one ranker, trained with several seeds."""

    name: str
    group: str
    path: Path
    is_calibrated: bool = True
    """Whether its logits say how probable a click is."""


def compare_clicks(runs: Sequence[Predicted], *, resamples: int = RESAMPLES) -> ClickComparison:
    """DataError where the runs did not predict the same examples."""
    frames = [_read(run) for run in runs]
    for run, frame in zip(runs[1:], frames[1:], strict=True):
        _require_same(runs[0].name, frames[0], run.name, frame)
    metrics = [name for name in CLICK_METRICS if name not in OF_PROBABILITIES or all(run.is_calibrated for run in runs)]
    groups = list(dict.fromkeys(run.group for run in runs))
    systems = {
        group: _System.of([frame for run, frame in zip(runs, frames, strict=True) if run.group == group], resamples)
        for group in groups
    }
    return ClickComparison(
        examples=len(frames[0]),
        users=frames[0]["user"].n_unique(),
        systems=tuple(
            ComparedSystem(
                name=group,
                runs=tuple(run.name for run in runs if run.group == group),
                metrics={name: one for name, one in system.estimates().items() if name in metrics},
            )
            for group, system in systems.items()
        ),
        comparisons=_comparisons(systems, metrics),
    )


@dataclass(frozen=True)
class _System:
    """[M] means over the seeds, [resamples, M] those of users drawn anew, and what the seeds differ in."""

    means: Float64
    replicates: Float64
    noise: SeedNoise

    @classmethod
    def of(cls, frames: Sequence[pl.DataFrame], resamples: int) -> "_System":
        predictions = [_predictions(frame) for frame in frames]
        values = np.stack([one.metrics(np.ones(one.num_users)) for one in predictions])
        replicates = np.mean([one.replicates(resamples=resamples, seed=SEED) for one in predictions], axis=0)
        many = len(frames)
        variance = values.var(axis=0, ddof=1) / many if many > 1 else np.zeros(values.shape[1])
        return cls(values.mean(axis=0), replicates, SeedNoise(many, variance, np.zeros(values.shape[1])))

    def estimates(self) -> dict[str, Estimate]:
        widened = with_seed_noise(_centred(self.replicates, self.means), [self.noise], seed=SEED)
        columns = zip(CLICK_METRICS, self.means, widened.T, strict=True)
        return {name: estimate(mean, _finite(column)) for name, mean, column in columns if np.isfinite(mean)}


def _centred(replicates: Float64, means: Float64) -> Float64:
    """Bins of users drawn anew are uneven: calibration errors come out larger than the one that was found."""
    is_finite = np.isfinite(replicates)
    centres = np.where(is_finite, replicates, 0.0).sum(axis=0) / is_finite.sum(axis=0).clip(1)
    return replicates + means - centres


def _finite(column: Float64) -> Float64:
    """Without the draws of users among whom all labels are one."""
    return column[np.isfinite(column)]


def _comparisons(systems: Mapping[str, _System], metrics: Sequence[str]) -> tuple[Comparison, ...]:
    found = []
    for pair in combinations(systems, 2):
        first, second = (systems[name] for name in pair)
        means = first.means - second.means
        centred = _centred(first.replicates - second.replicates, means)
        widened = with_seed_noise(centred, [first.noise, second.noise], seed=SEED)
        columns = zip(CLICK_METRICS, means, map(_finite, widened.T), strict=True)
        found += [(pair, *one) for one in columns if one[0] in metrics and np.isfinite(one[1])]
    p_values = [p_value(replicates) for *_, replicates in found]
    return tuple(
        Comparison(systems=pair, metric=metric, difference=estimate(mean, replicates), p=p, p_adjusted=adjusted)
        for (pair, metric, mean, replicates), p, adjusted in zip(found, p_values, holm(p_values).tolist(), strict=True)
    )


def _predictions(frame: pl.DataFrame) -> Predictions:
    return Predictions(frame["logit"].to_numpy(), frame["label"].to_numpy(), frame["user"].to_numpy())


def is_predictions(path: Path) -> bool:
    """Whether a Parquet file is one of predictions, and not of lists."""
    try:
        return set(COLUMNS) <= set(pl.read_parquet_schema(path))
    except (OSError, pl.exceptions.PolarsError):
        return False


def _read(run: Predicted) -> pl.DataFrame:
    try:
        frame = pl.scan_parquet(run.path).select(pl.col(name).cast(kind) for name, kind in COLUMNS.items()).collect()
    except pl.exceptions.PolarsError as error:
        raise BundleError(
            f"{run.path} is no file of predictions with the columns {', '.join(COLUMNS)}, all numbers "
            f"({str(error).splitlines()[0]}): write it again"
        ) from None
    is_good = (
        pl.col("label").is_in([0.0, 1.0]) & pl.col("logit").is_finite() & pl.all_horizontal(pl.all().is_not_null())
    )
    wrong = len(frame) - len(frame.filter(is_good))
    if wrong or not len(frame):
        raise DataError(
            f"{run.path}: a prediction has a user, an item, a label of 0 or 1 and a finite logit, and "
            f"{f'{wrong:,} of {len(frame):,} have not' if wrong else 'there is none'}"
        )
    return frame


def _require_same(first: str, one: pl.DataFrame, second: str, other: pl.DataFrame) -> None:
    asked = ["user", "item", "label"]
    if len(one) == len(other):
        differing = one.select((pl.col(name) != other[name]).sum() for name in asked)
        if not any(differing.row(0)):
            return
    raise DataError(
        f"rankers are compared on the same test examples, and {first} ({len(one):,} examples) and {second} "
        f"({len(other):,}) predicted others: prepare both from the same log with the same `data` and "
        "`ranker.examples` (negatives of two retrievers differ), and rank again"
    )
