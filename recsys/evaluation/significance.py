"""How far a mean over users would have come out otherwise: with other users, and with other seeds. Knows numbers only.

    values of each user, metric by metric  -> bootstrap_means -> replicates, which differ as other users' means would
    replicates, seed_noise of each system  -> with_seed_noise -> replicates that also differ as other seeds' would
    replicates                             -> interval
    replicates of a difference             -> p_value -> holm

Users are drawn whole, all their systems and metrics with them: columns of the replicates may be subtracted, and the
difference is paired.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
LEVEL = 0.95
MANY_USERS = 200_000
"""Of more than these the means are normal, as near as 10,000 of them could tell, and drawing users takes too long."""
LEAST_VARIANCE = 1e-12
"""Of the largest: what is below is a sum rounded otherwise."""
BLOCK = 1 << 21
"""How many counts are held at a time."""
COST_OF_A_BINOMIAL = 12
"""In drawn users, as measured: about 60 ns to 5 ns."""
ROUNDING = 1e-12
"""Means that differ by less are the same: their sums were rounded differently."""


def bootstrap_means(values: Float64, *, resamples: int, seed: int) -> Float64:
    """[resamples, M] means of M values over N users drawn with replacement from the [N, M] that were seen."""
    random = np.random.default_rng(seed)
    if len(values) > MANY_USERS:
        return _normal_means(random, values, resamples)
    rows, sizes = np.unique(values, axis=0, return_counts=True)
    # users of the same values are drawn together where they are few, one by one where nearly everybody is different
    together = len(rows) * COST_OF_A_BINOMIAL < len(values)
    means = np.empty((resamples, values.shape[1]))
    step = max(1, BLOCK // (len(rows) if together else len(values)))
    for start in range(0, resamples, step):
        block = means[start : start + step]
        if together:
            np.matmul(random.multinomial(len(values), sizes / len(values), len(block)).astype(np.float64), rows, block)
        else:
            np.matmul(_times_drawn(random, len(values), len(block)), values, block)
    return np.divide(means, len(values), out=means)


def interval(replicates: Float64) -> tuple[Float64, Float64]:
    """The middle 95 % of the replicates, column by column."""
    low, high = np.quantile(replicates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


def p_value(differences: Float64) -> float:
    """Two-sided, of [resamples]: twice the share of them on the other side of 0, or on it.

    One is added to both counts, so that no p is 0; it is 1 for systems that are the same user by user.
    """
    above = np.count_nonzero(differences > -ROUNDING)
    below = np.count_nonzero(differences < ROUNDING)
    return min(1.0, 2 * (min(above, below) + 1) / (len(differences) + 1))


def holm(p_values: Sequence[float] | Float64) -> Float64:
    """Adjusted for how many there are, in the order given. Holm, 1979.

    If all those below 5 % are called differences, the chance that any of them is none is at most 5 %.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


@dataclass(frozen=True)
class SeedNoise:
    """How much the mean of a system that was trained `num_seeds` times depends on which seeds those were."""

    num_seeds: int
    variance: Float64
    """[M] of the mean over the seeds, from how far their means lie apart: s^2 / num_seeds."""
    variance_by_users: Float64
    """[M] the part of it that is seeds suiting some users more than others; other users differ by it as well."""

    @property
    def is_known(self) -> bool:
        """One seed says nothing about others: its interval is for that one model."""
        return self.num_seeds > 1


def seed_noise(values: Float64) -> SeedNoise:
    """Of [seeds, N, M] values: a two-way analysis of variance, seeds by users."""
    num_seeds, num_users, num_values = values.shape
    if num_seeds == 1:
        return SeedNoise(1, np.zeros(num_values), np.zeros(num_values))
    users = values.mean(axis=0)
    apart = sum(((of_seed - users).var(axis=0) for of_seed in values), np.zeros(num_values))
    return SeedNoise(
        num_seeds,
        values.mean(axis=1).var(axis=0, ddof=1) / num_seeds,
        apart / ((num_seeds - 1) * max(num_users - 1, 1) * num_seeds),
    )


def with_seed_noise(replicates: Float64, noises: Sequence[SeedNoise], *, seed: int) -> Float64:
    """[R, M] replicates, of one system's mean over its seeds or of the difference of two, widened for their seeds.

    What is added is s / sqrt(S) times Student's t with S - 1 degrees of freedom, or Welch's for two systems. What seeds
    do to some users and not to others is in s as well as among the users: it is taken out of the replicates before.
    Their columns are drawn apart: subtract replicates first, and widen the difference.
    """
    known = [noise for noise in noises if noise.is_known]
    if not known:
        return replicates
    variances = np.stack([noise.variance for noise in known])
    total = variances.sum(axis=0)
    moved = np.flatnonzero(total)
    freedoms = np.array([[noise.num_seeds - 1] for noise in known])
    freedom = total[moved] ** 2 / (variances[:, moved] ** 2 / freedoms).sum(axis=0)
    draws = np.random.default_rng([seed, 1]).standard_t(freedom, (len(replicates), len(moved)))
    widened = _narrowed(replicates, np.sum([noise.variance_by_users for noise in known], axis=0))
    widened[:, moved] += np.sqrt(total[moved]) * draws
    return widened


def _narrowed(replicates: Float64, variance: Float64) -> Float64:
    """A copy whose columns vary by so much less about the same means."""
    centres, spreads = replicates.mean(axis=0), replicates.var(axis=0)
    left = np.maximum(spreads - variance, 0.0)
    shares = np.divide(left, spreads, out=np.ones_like(spreads), where=spreads > 0)
    return centres + np.sqrt(shares) * (replicates - centres)


def _normal_means(random: np.random.Generator, values: Float64, resamples: int) -> Float64:
    """What the bootstrap's means tend to: the mean, and the covariance of the values over their number."""
    centre = values.mean(axis=0)
    apart = values - centre
    variances, directions = np.linalg.eigh(apart.T @ apart / len(values) ** 2)
    variances[variances < LEAST_VARIANCE * variances[-1]] = 0.0
    draws = random.standard_normal((resamples, len(variances)))
    return centre + draws @ (directions * np.sqrt(variances)).T


def _times_drawn(random: np.random.Generator, num_users: int, resamples: int) -> Float64:
    """[resamples, N] how often each user is drawn."""
    times = np.empty((resamples, num_users))
    for row in times:
        row[:] = np.bincount(random.integers(0, num_users, num_users), minlength=num_users)
    return times
