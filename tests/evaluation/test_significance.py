import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from recsys.evaluation.metrics import hit_rate, ndcg
from recsys.evaluation.significance import bootstrap_means, holm, interval, p_value, seed_noise, with_seed_noise


def ranks_of(random, num_users, num_systems):
    """Systems of one quality: alike for a user, who is easy or hard to tell, and independent beside that."""
    difficulty = random.normal(2.5, 1.5, (num_users, 1))
    return np.ceil(np.exp(difficulty + random.normal(0.0, 1.0, (num_users, num_systems)))).astype(np.int64)


def values_of(seed=0, num_users=800, num_systems=2):
    return ndcg(ranks_of(np.random.default_rng(seed), num_users, num_systems), 10)


def width(replicates):
    low, high = interval(replicates)
    return high - low


@pytest.fixture(params=["few distinct", "all distinct"])
def values(request):
    """Few and many distinct rows, which are drawn in different ways."""
    random = np.random.default_rng(0)
    return (
        hit_rate(ranks_of(random, 800, 2), 10) if request.param == "few distinct" else random.gamma(1.0, 1.0, (800, 2))
    )


def test_resampled_means_vary_about_the_mean_as_means_do(values):
    replicates = bootstrap_means(values, resamples=20_000, seed=0)
    error = values.std(axis=0) / math.sqrt(len(values))
    np.testing.assert_array_less(np.abs(replicates.mean(axis=0) - values.mean(axis=0)), 5 * error / math.sqrt(20_000))
    # the standard deviation of R draws has a relative error of about 1 / sqrt(2 R)
    np.testing.assert_allclose(replicates.std(axis=0), error, rtol=5 / math.sqrt(2 * 20_000))
    np.testing.assert_allclose(np.cov(replicates.T), np.cov(values.T, ddof=0) / len(values), rtol=0.1)


def test_resampled_means_are_means_of_users_that_were_seen(values):
    replicates = bootstrap_means(values[:3], resamples=50, seed=0)
    draws = np.stack(np.meshgrid(*[range(3)] * 3), axis=-1).reshape(-1, 3)
    possible = values[:3][draws].mean(axis=1)
    distance = np.abs(replicates[:, None, :] - possible[None]).max(axis=2).min(axis=1)
    assert distance.max() < 1e-12


@pytest.mark.parametrize("block", [1, 3000, 1 << 21])
def test_the_same_seed_gives_the_same_answer_however_the_work_is_cut(values, block, monkeypatch):
    whole = bootstrap_means(values, resamples=100, seed=3)
    monkeypatch.setattr("recsys.evaluation.significance.BLOCK", block)
    np.testing.assert_allclose(bootstrap_means(values, resamples=100, seed=3), whole, rtol=1e-12)
    assert (bootstrap_means(values, resamples=100, seed=4) != whole).any()


def test_both_ways_of_drawing_give_the_same_interval(monkeypatch):
    values = hit_rate(ranks_of(np.random.default_rng(0), 800, 2), 10)
    together = interval(bootstrap_means(values, resamples=20_000, seed=0))
    monkeypatch.setattr("recsys.evaluation.significance.COST_OF_A_BINOMIAL", 800)
    one_by_one = interval(bootstrap_means(values, resamples=20_000, seed=0))
    np.testing.assert_allclose(together, one_by_one, atol=0.2 * values.std() / math.sqrt(800))


def test_the_interval_is_scipys(values):
    replicates = bootstrap_means(values, resamples=10_000, seed=0)
    for column, low, high in zip(values.T, *interval(replicates), strict=True):
        theirs = stats.bootstrap((column,), np.mean, n_resamples=10_000, method="percentile", rng=1).confidence_interval
        # a quantile of 10,000 draws is off by .027 standard errors; this is five of two such
        assert [low, high] == pytest.approx([*theirs], abs=0.2 * column.std() / math.sqrt(len(column)))


def test_pairing_narrows_the_interval_of_alike_systems():
    values = values_of()
    paired = bootstrap_means(values, resamples=5000, seed=0)
    apart = [bootstrap_means(values[:, [n]], resamples=5000, seed=n)[:, 0] for n in range(2)]
    assert width(paired[:, 0] - paired[:, 1]) < 0.8 * width(apart[0] - apart[1])


def test_a_difference_is_told_where_the_interval_leaves_out_zero():
    for lift in np.linspace(0.0, 0.06, 13):
        means = bootstrap_means(values_of() + np.array([lift, 0.0]), resamples=2000, seed=0)
        differences = means[:, 0] - means[:, 1]
        low, high = interval(differences)
        assert (p_value(differences) < 0.05) == (low > 0 or high < 0)


def test_p_is_one_for_the_same_system_and_smallest_where_no_replicate_disagrees():
    values = values_of(num_systems=1)
    means = bootstrap_means(np.concatenate([values, values, values + 0.5], axis=1), resamples=999, seed=0)
    assert p_value(means[:, 0] - means[:, 1]) == 1.0
    assert p_value(means[:, 0] - means[:, 2]) == p_value(means[:, 2] - means[:, 0]) == 2 / 1000


P_VALUES = st.lists(st.floats(0.0, 1.0), max_size=12)


@given(P_VALUES)
def test_holm_keeps_the_order_and_lies_between_p_and_bonferroni(p_values):
    p, adjusted = np.array(p_values), holm(p_values)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(p * len(p), 1.0)).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()


@given(P_VALUES, st.floats(0.001, 0.999))
def test_holm_rejects_one_by_one_until_one_is_kept(p_values, limit):
    rejected = set()
    for done, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[place] * (len(p_values) - done) > limit:
            break
        rejected.add(place)
    assert set(np.flatnonzero(holm(p_values) <= limit)) == rejected


def seeds_of(random, *, num_seeds, num_users=200, users, seeds, both):
    """[seeds, users, 1] values whose true mean is 0, from standard deviations."""
    shape = (num_seeds, num_users)
    values = random.normal(0, users, shape[1]) + random.normal(0, seeds, (num_seeds, 1)) + random.normal(0, both, shape)
    return values[..., None]


def test_one_seed_is_said_to_tell_of_no_other():
    values = seeds_of(np.random.default_rng(0), num_seeds=1, users=1, seeds=1, both=1)
    replicates = bootstrap_means(values[0], resamples=100, seed=0)
    assert not seed_noise(values).is_known
    np.testing.assert_array_equal(with_seed_noise(replicates, [seed_noise(values)], seed=0), replicates)


def test_seeds_that_make_no_difference_add_nothing():
    values = np.repeat(seeds_of(np.random.default_rng(0), num_seeds=1, users=1, seeds=1, both=1), 3, axis=0)
    replicates = bootstrap_means(values[0], resamples=100, seed=0)
    assert seed_noise(values).is_known
    np.testing.assert_allclose(with_seed_noise(replicates, [seed_noise(values)], seed=0), replicates, rtol=1e-12)


def test_the_seeds_noise_is_parted_from_that_of_users_whom_seeds_suit():
    values = seeds_of(np.random.default_rng(0), num_seeds=400, num_users=400, users=1, seeds=0.3, both=2)
    noise = seed_noise(values)
    # of 400 seeds, a variance is known to 1 / sqrt(200)
    assert noise.variance[0] * 400 == pytest.approx(0.3**2 + 2**2 / 400, rel=0.3)
    assert noise.variance_by_users[0] == pytest.approx(2**2 / 400**2, rel=0.05)


@pytest.mark.parametrize(("seeds", "both"), [(1, 0), (0, 1)], ids=["for all users", "user by user"])
def test_where_all_noise_is_the_seeds_the_interval_is_students(seeds, both):
    values = seeds_of(np.random.default_rng(0), num_seeds=4, num_users=2000, users=0, seeds=seeds, both=both)
    replicates = bootstrap_means(values.mean(axis=0), resamples=20_000, seed=0)
    widened = with_seed_noise(replicates, [seed_noise(values)], seed=0)
    means = values.mean(axis=(1, 2))
    expected = stats.t.interval(0.95, 3, loc=means.mean(), scale=stats.sem(means))
    np.testing.assert_allclose(np.concatenate(interval(widened)), expected, atol=0.03 * np.diff(expected)[0])


def test_the_difference_of_two_systems_that_vary_alike_has_the_freedom_of_both():
    values = seeds_of(np.random.default_rng(0), num_seeds=4, users=0, seeds=1, both=0)
    replicates = np.zeros((50_000, 1))
    widened = with_seed_noise(replicates, [seed_noise(values), seed_noise(-values)], seed=0)
    scale = stats.sem(values.mean(axis=(1, 2))) * math.sqrt(2)
    assert width(widened)[0] == pytest.approx(np.diff(stats.t.interval(0.95, 6, scale=scale))[0], rel=0.04)


def test_of_many_users_the_means_are_those_of_a_normal_distribution(monkeypatch):
    """The bootstrap of the same users says the same, differences of systems and equal systems included."""
    random = np.random.default_rng(3)
    ranks = random.geometric(0.05, (3000, 2))
    ranks[:, 1] = np.where(random.random(3000) < 0.8, ranks[:, 0], ranks[:, 1])
    values = np.where(ranks <= 10, 1 / np.log2(np.minimum(ranks, 10) + 1), 0.0)[:, [0, 1, 0]]
    drawn = bootstrap_means(values, resamples=20_000, seed=1)
    monkeypatch.setattr("recsys.evaluation.significance.MANY_USERS", 10)
    normal = bootstrap_means(values, resamples=20_000, seed=2)
    assert normal.shape == drawn.shape
    for one, other in ((drawn, normal), (drawn[:, :1] - drawn[:, 1:], normal[:, :1] - normal[:, 1:])):
        width = np.ptp(interval(one), axis=0).max()
        np.testing.assert_allclose(interval(other), interval(one), atol=0.05 * width)
    assert p_value(normal[:, 0] - normal[:, 2]) == 1.0
