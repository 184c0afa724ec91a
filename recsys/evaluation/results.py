"""Rankings become figures: means with their intervals, differences with their tests, and what the lists expose."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from recsys.data.dataset import Dataset
from recsys.evaluation.config import EvaluationConfig, K
from recsys.evaluation.metrics import METRICS, coverage, diversity, gini, mean_popularity, novelty
from recsys.evaluation.outcome import Comparison, Estimate, Exposure, SystemResult
from recsys.evaluation.ranking import Ranking
from recsys.evaluation.significance import bootstrap_means, holm, interval, p_value

Float64 = NDArray[np.float64]
COMPARED = (f"HR@{K}", f"NDCG@{K}")
SEED = 0
"""Of the resampling: equal rankings get equal intervals."""


class Resampled:
    """Every metric of every system over the same resamples of the users, so that differences are paired."""

    def __init__(self, ranks: Mapping[str, NDArray[np.int64]], config: EvaluationConfig) -> None:
        values = {
            (system, f"{name}@{k}"): metric(found, k)
            for system, found in ranks.items()
            for name, metric in METRICS.items()
            for k in config.cutoffs
        }
        matrix = np.stack(list(values.values()), axis=1)
        replicates = bootstrap_means(matrix, resamples=config.resamples, seed=SEED)
        self.systems = tuple(ranks)
        self.names = tuple(dict.fromkeys(name for _, name in values))
        self._means = dict(zip(values, matrix.mean(axis=0).tolist(), strict=True))
        self._replicates = dict(zip(values, replicates.T, strict=True))

    def estimates(self, system: str) -> dict[str, Estimate]:
        return {name: estimate(self._means[system, name], self._replicates[system, name]) for name in self.names}

    def comparisons(self) -> tuple[Comparison, ...]:
        """Of each two systems."""
        tests = [(*pair, metric) for pair in combinations(self.systems, 2) for metric in COMPARED]
        differences = [self._replicates[one, name] - self._replicates[other, name] for one, other, name in tests]
        p_values = [p_value(difference) for difference in differences]
        return tuple(
            Comparison(
                systems=(one, other),
                metric=name,
                difference=estimate(self._means[one, name] - self._means[other, name], difference),
                p=p,
                p_adjusted=adjusted,
            )
            for (one, other, name), difference, p, adjusted in zip(
                tests, differences, p_values, holm(p_values), strict=True
            )
        )


def estimate(value: float, replicates: Float64) -> Estimate:
    low, high = interval(replicates)
    return Estimate(value=float(value), low=float(low), high=float(high))


def system_result(dataset: Dataset, ranking: Ranking, *, detail: str, metrics: dict[str, Estimate]) -> SystemResult:
    return SystemResult(
        detail=detail,
        metrics=metrics,
        if_ties_favour=means(ranking.ranks_if_first, COMPARED),
        exposure=exposure(dataset, ranking.items[:, :K]),
    )


def means(ranks: NDArray[np.int64], names: Sequence[str]) -> dict[str, float]:
    """Of metrics by name, such as "HR@10"."""
    parts = {name: name.split("@") for name in names}
    return {name: float(np.mean(METRICS[metric](ranks, int(k)))) for name, (metric, k) in parts.items()}


def exposure(dataset: Dataset, lists: NDArray[np.int32]) -> Exposure:
    """Of [N, k] lists of item indices, 0 where there is nothing."""
    counts, candidates = dataset.training_counts(), np.asarray(dataset.candidates)
    return Exposure(
        coverage=coverage(lists, int(candidates.sum())),
        gini=gini(lists, candidates),
        popularity=mean_popularity(lists, counts),
        novelty=novelty(lists, counts),
        diversity=_diversity(dataset, lists),
    )


def _diversity(dataset: Dataset, lists: NDArray[np.int32]) -> float | None:
    """Over all values of all features, each feature's apart from the others'."""
    if not len(dataset.features):
        return None
    firsts = np.cumsum([0, *(feature.num_values for feature in dataset.features)])
    counts = np.stack([np.diff(feature.offsets) for feature in dataset.features])
    offsets = np.concatenate([[0], np.cumsum(counts.sum(axis=0))])
    owners = [np.repeat(np.arange(len(of_items)), of_items) for of_items in counts]
    values = [feature.values + first for feature, first in zip(dataset.features, firsts, strict=False)]
    order = np.argsort(np.concatenate(owners), kind="stable")
    return diversity(lists, np.concatenate(values)[order], offsets)
