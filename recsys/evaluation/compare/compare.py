"""Two or more systems on the same test users, each perhaps trained with several seeds: which ranks better?"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.errors import DataError
from recsys.evaluation.compare.answers import Answers, Run, answers_of
from recsys.evaluation.compare.report import (
    ComparedSystem,
    ComparisonReport,
    Disagreement,
    DisagreementExample,
    metrics_at,
)
from recsys.evaluation.config import K
from recsys.evaluation.metrics import hit_rate, mrr, ndcg
from recsys.evaluation.outcome import Comparison
from recsys.evaluation.results import estimate
from recsys.evaluation.significance import (
    SeedNoise,
    bootstrap_means,
    holm,
    p_value,
    seed_noise,
    with_seed_noise,
)
from recsys.topk import UNRANKED

Float64 = NDArray[np.float64]
RESAMPLES = 10_000
SEED = 0
"""Of the resampling: the same runs get the same answer."""
NUM_EXAMPLES, NUM_SHOWN = 3, 3


def compare(runs: Sequence[Run], *, k: int = K, resamples: int = RESAMPLES) -> ComparisonReport:
    """By metrics at k; DataError where the runs are of one system, or were not asked the same."""
    groups = list(dict.fromkeys(run.group for run in runs))
    if len(groups) < 2:
        raise DataError(
            f"a comparison needs two systems, and these {len(runs)} runs are seeds of one, {', '.join(groups)}; "
            "name a run that was trained otherwise"
        )
    answers = answers_of(runs, k)
    systems = {group: [own for own in answers if own.run.group == group] for group in groups}
    compared = _Resampled(systems, k, resamples)
    return ComparisonReport(
        protocol=answers[0].protocol,
        k=k,
        resamples=resamples,
        foreign=tuple(run.name for run in runs if run.is_foreign),
        told_time=tuple(group for group, own in systems.items() if own[0].protocol.uses_time_of_predicted_click),
        systems=tuple(compared.system(group) for group in groups),
        comparisons=compared.comparisons(),
        disagreements=tuple(
            _disagreement(systems[one][0], systems[other][0], k) for one, other in combinations(groups, 2)
        ),
    )


class _Resampled:
    """Every system's metrics, the mean over its seeds, over the same resamples of the users."""

    def __init__(self, systems: Mapping[str, Sequence[Answers]], k: int, resamples: int) -> None:
        self._metrics = metrics_at(k)
        values = {group: np.stack([_values(own, k) for own in answers]) for group, answers in systems.items()}
        users = np.concatenate([of_seeds.mean(axis=0) for of_seeds in values.values()], axis=1)
        replicates = bootstrap_means(users, resamples=resamples, seed=SEED)
        self._runs = {group: tuple(own.run.name for own in answers) for group, answers in systems.items()}
        self._means = dict(zip(systems, np.split(users.mean(axis=0), len(systems)), strict=True))
        self._replicates = dict(zip(systems, np.split(replicates, len(systems), axis=1), strict=True))
        self._noises = {group: seed_noise(of_seeds) for group, of_seeds in values.items()}

    def system(self, group: str) -> ComparedSystem:
        replicates = _widened(self._replicates[group], self._noises[group])
        estimates = map(estimate, self._means[group], replicates.T)
        return ComparedSystem(
            name=group, runs=self._runs[group], metrics=dict(zip(self._metrics, estimates, strict=True))
        )

    def comparisons(self) -> tuple[Comparison, ...]:
        """Of each two systems, metric by metric."""
        found = [
            (pair, metric, mean, replicates)
            for pair in combinations(self._runs, 2)
            for metric, mean, replicates in zip(self._metrics, *self._difference(*pair), strict=True)
        ]
        p_values = [p_value(replicates) for *_, replicates in found]
        return tuple(
            Comparison(systems=pair, metric=metric, difference=estimate(mean, replicates), p=p, p_adjusted=adjusted)
            for (pair, metric, mean, replicates), p, adjusted in zip(
                found, p_values, holm(p_values).tolist(), strict=True
            )
        )

    def _difference(self, first: str, second: str) -> tuple[Float64, Float64]:
        """[M] means and [M, resamples] replicates."""
        replicates = self._replicates[first] - self._replicates[second]
        widened = _widened(replicates, self._noises[first], self._noises[second])
        return self._means[first] - self._means[second], widened.T


def _widened(replicates: Float64, *noises: SeedNoise) -> Float64:
    return with_seed_noise(replicates, noises, seed=SEED)


def _values(answers: Answers, k: int) -> Float64:
    """[N, M]"""
    return np.stack([metric(answers.ranks, k) for metric in (hit_rate, ndcg, mrr)], axis=1)


def _disagreement(first: Answers, second: Answers, k: int) -> Disagreement:
    k = min(k, *(int(own.lists["rank"].max() or k) for own in (first, second)))  # type: ignore[arg-type]
    hits, others = first.ranks <= k, second.ranks <= k
    shared = first.lists.join(second.lists, on=["user_id", "item_id"], how="semi")
    # what a rank is worth, however late: between 1 and 2 lies more than between 1,000 and 2,000
    gained = ndcg(first.ranks, UNRANKED - 1) - ndcg(second.ranks, UNRANKED - 1)
    return Disagreement(
        runs=(first.run.name, second.run.name),
        k=k,
        both=int((hits & others).sum()),
        only_first=int((hits & ~others).sum()),
        only_second=int((others & ~hits).sum()),
        neither=int((~hits & ~others).sum()),
        shared_items=len(shared) / len(hits),
        better_by_first=tuple(_example(first, second, row) for row in _largest(gained)),
        better_by_second=tuple(_example(first, second, row) for row in _largest(-gained)),
    )


def _largest(gained: Float64) -> list[int]:
    order = np.argsort(-gained, kind="stable")[:NUM_EXAMPLES]
    return [row for row in order.tolist() if gained[row] > 0]


def _example(first: Answers, second: Answers, row: int) -> DisagreementExample:
    user, target = first.users.select("user_id", "item_id").row(row)
    return DisagreementExample(
        user_id=str(user),
        target=str(target),
        ranks=(_rank(first, row), _rank(second, row)),
        lists=(_shown(first, user), _shown(second, user)),
    )


def _rank(answers: Answers, row: int) -> int | None:
    rank = int(answers.ranks[row])
    return None if rank == UNRANKED else rank


def _shown(answers: Answers, user: str | int) -> tuple[str, ...]:
    items = answers.lists.filter(pl.col("user_id") == user)["item_id"].head(NUM_SHOWN)
    return tuple(str(item) for item in items)
