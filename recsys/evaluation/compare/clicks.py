"""Two or more rankers on the same test examples, each perhaps trained with several seeds: which predicts better?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.errors import BundleError, DataError
from recsys.evaluation.clicks import CLICK_METRICS, Predictions
from recsys.evaluation.compare.click_report import ClickComparison, ComparedRanker
from recsys.evaluation.outcome import Comparison, Estimate
from recsys.evaluation.results import estimate
from recsys.evaluation.significance import SeedNoise, holm, p_value, with_seed_noise

Float64 = NDArray[np.float64]
RESAMPLES = 1_000
SEED = 0
COLUMNS = ("user", "item", "label", "logit")


@dataclass(frozen=True)
class Predicted:
    """A file of one ranker's predictions. Those of one `group` are one ranker, trained with several seeds."""

    name: str
    group: str
    path: Path


def compare_clicks(runs: Sequence[Predicted], *, resamples: int = RESAMPLES) -> ClickComparison:
    """DataError where the runs did not predict the same examples."""
    frames = [_read(run) for run in runs]
    for run, frame in zip(runs[1:], frames[1:], strict=True):
        _require_same(runs[0].name, frames[0], run.name, frame)
    groups = list(dict.fromkeys(run.group for run in runs))
    systems = {
        group: _System.of([frame for run, frame in zip(runs, frames, strict=True) if run.group == group], resamples)
        for group in groups
    }
    return ClickComparison(
        examples=len(frames[0]),
        users=frames[0]["user"].n_unique(),
        systems=tuple(
            ComparedRanker(
                name=group,
                runs=tuple(run.name for run in runs if run.group == group),
                metrics=_estimates(system.means, system.widened()),
            )
            for group, system in systems.items()
        ),
        comparisons=_comparisons(systems),
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

    def widened(self) -> Float64:
        # bins of users drawn anew are uneven: calibration errors come out larger than the one that was found
        return with_seed_noise(self.replicates + self.means - self.replicates.mean(axis=0), [self.noise], seed=SEED)


def _comparisons(systems: Mapping[str, _System]) -> tuple[Comparison, ...]:
    found = []
    for pair in combinations(systems, 2):
        first, second = (systems[name] for name in pair)
        means = first.means - second.means
        replicates = first.replicates - second.replicates
        centred = replicates + means - replicates.mean(axis=0)
        widened = with_seed_noise(centred, [first.noise, second.noise], seed=SEED)
        found += [(pair, *one) for one in zip(CLICK_METRICS, means, widened.T, strict=True) if np.isfinite(one[1])]
    p_values = [p_value(replicates) for *_, replicates in found]
    return tuple(
        Comparison(systems=pair, metric=metric, difference=estimate(mean, replicates), p=p, p_adjusted=adjusted)
        for (pair, metric, mean, replicates), p, adjusted in zip(found, p_values, holm(p_values).tolist(), strict=True)
    )


def _estimates(means: Float64, replicates: Float64) -> dict[str, Estimate]:
    return {
        name: estimate(mean, column)
        for name, mean, column in zip(CLICK_METRICS, means, replicates.T, strict=True)
        if np.isfinite(mean)
    }


def _predictions(frame: pl.DataFrame) -> Predictions:
    return Predictions(
        frame["logit"].cast(pl.Float64).to_numpy(),
        frame["label"].cast(pl.Float64).to_numpy(),
        frame["user"].cast(pl.Int64).to_numpy(),
    )


def is_predictions(path: Path) -> bool:
    """Whether a Parquet file is one of predictions, and not of lists."""
    try:
        return set(COLUMNS) <= set(pl.read_parquet_schema(path))
    except (OSError, pl.exceptions.PolarsError):
        return False


def _read(run: Predicted) -> pl.DataFrame:
    try:
        return pl.scan_parquet(run.path).select(COLUMNS).collect()
    except pl.exceptions.PolarsError as error:
        raise BundleError(
            f"{run.path} is no file of predictions with the columns {', '.join(COLUMNS)} "
            f"({str(error).splitlines()[0]}): run `recsys rank` again"
        ) from None


def _require_same(first: str, one: pl.DataFrame, second: str, other: pl.DataFrame) -> None:
    asked = ["user", "item", "label"]
    if len(one) == len(other):
        differing = one.select((pl.col(name).cast(pl.Int64) != other[name].cast(pl.Int64)).sum() for name in asked)
        if not any(differing.row(0)):
            return
    raise DataError(
        f"rankers are compared on the same test examples, and {first} ({len(one):,} examples) and {second} "
        f"({len(other):,}) predicted others: prepare both from the same log with the same `data` and "
        "`ranker.examples` (negatives of two retrievers differ), and rank again"
    )
