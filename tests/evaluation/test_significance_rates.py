"""How often the tests of significance are right, counted over simulations. The rates are printed: pytest -s."""

import itertools
import math

import numpy as np
import pytest

from recsys.evaluation.significance import bootstrap_means, holm, interval, p_value, seed_noise, with_seed_noise
from tests.evaluation.test_significance import seeds_of, values_of

pytestmark = pytest.mark.slow
RESAMPLES, USERS = 1000, 1000


def p_values(values, seed):
    """Of every two columns."""
    means = bootstrap_means(values, resamples=RESAMPLES, seed=seed)
    return [p_value(one - other) for one, other in itertools.combinations(means.T, 2)]


def test_systems_of_one_quality_are_told_apart_five_times_in_a_hundred():
    found = [p_values(values_of(seed, USERS), seed)[0] < 0.05 for seed in range(2000)]
    print(f"\nfalse positives: {np.mean(found):.4f}")
    # of 2,000, a rate of 5 % has a standard deviation of .5 %: the band is three of them
    assert 0.035 <= np.mean(found) <= 0.065


def test_a_difference_of_two_half_widths_is_found():
    values = values_of(0, 200_000)
    half_width = 1.96 * (values[:, 0] - values[:, 1]).std() / math.sqrt(USERS)
    lift = np.array([2 * half_width, 0.0])
    found = [p_values(values_of(seed, USERS) + lift, seed)[0] < 0.05 for seed in range(200)]
    print(f"\nfound: {np.mean(found):.4f}")
    # a normal mean 3.92 standard errors from 0 is beyond 1.96 in 97.5 %; of 200, the deviation is 1.1 %
    assert np.mean(found) >= 0.94


def test_holm_keeps_the_family_of_all_pairs_of_five_systems():
    every = np.array([p_values(values_of(seed, USERS, num_systems=5), seed) for seed in range(600)])
    plain, adjusted = ((each < 0.05).any(axis=1).mean() for each in (every, np.array([*map(holm, every)])))
    print(f"\nany of 10 pairs told apart: {plain:.4f}, by Holm: {adjusted:.4f}")
    assert adjusted <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 600)
    assert plain > 0.15, "without it, the more systems the more discoveries"


NOISES = {
    "users": {"users": 1.0, "seeds": 0.0, "both": 0.0},
    "users and seeds alike": {"users": 1.0, "seeds": 0.1, "both": 0.5},
    "seeds suit users": {"users": 0.3, "seeds": 0.03, "both": 1.5},
    "seeds": {"users": 0.3, "seeds": 0.3, "both": 0.3},
}


def covers(replicates):
    low, high = interval(replicates)
    return low[0] <= 0.0 <= high[0]


# Of 400, a rate of 95 % has a standard deviation of 1.1 %: the band is three of them. The sum of a normal and a
# Student's t is known to be cautious: up to 97.8 % where both weigh alike and t has 2 degrees of freedom.
HIGHEST = {3: 0.995, 5: 0.985}


@pytest.mark.parametrize("num_seeds", HIGHEST)
@pytest.mark.parametrize("noise", NOISES)
def test_the_interval_over_seeds_covers_the_mean_of_all_seeds_and_users(num_seeds, noise):
    random = np.random.default_rng(0)
    covered, naively = [], []
    for seed in range(400):
        values = seeds_of(random, num_seeds=num_seeds, **NOISES[noise])
        replicates = bootstrap_means(values.mean(axis=0), resamples=RESAMPLES, seed=seed)
        covered.append(covers(with_seed_noise(replicates, [seed_noise(values)], seed=seed)))
        naively.append(covers(replicates))
    print(f"\ncovered, {num_seeds} seeds, {noise}: {np.mean(covered):.4f} (users alone: {np.mean(naively):.4f})")
    assert 0.917 <= np.mean(covered) <= HIGHEST[num_seeds]


@pytest.mark.parametrize("num_seeds", HIGHEST)
@pytest.mark.parametrize("noise", NOISES)
def test_the_interval_of_two_systems_difference_covers_it(num_seeds, noise):
    random = np.random.default_rng(0)
    covered = []
    for seed in range(400):
        kinds = NOISES[noise]
        # what users have in common falls out of the difference; half the systems' own is left on either side
        first, second = (seeds_of(random, num_seeds=num_seeds, **kinds) for _ in range(2))
        replicates = bootstrap_means((first - second).mean(axis=0), resamples=RESAMPLES, seed=seed)
        noises = [seed_noise(first), seed_noise(second)]
        covered.append(covers(with_seed_noise(replicates, noises, seed=seed)))
    print(f"\ncovered difference, {num_seeds} seeds, {noise}: {np.mean(covered):.4f}")
    assert 0.917 <= np.mean(covered) <= HIGHEST[num_seeds]
