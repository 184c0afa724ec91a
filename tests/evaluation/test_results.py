import dataclasses
from itertools import combinations

import numpy as np
import pytest

from recsys.data.feature_table import Feature, Features
from recsys.data.texts import Texts
from recsys.evaluation.config import EvaluationConfig
from recsys.evaluation.results import Resampled, exposure
from recsys.evaluation.significance import bootstrap_means
from recsys.topk import UNRANKED

CONFIG = EvaluationConfig(resamples=2_000)


@pytest.fixture
def ranks():
    """Two systems that agree on most users, one that is the first again, and one of its own."""
    random = np.random.default_rng(0)
    one = random.geometric(0.05, 400)
    other = np.where(random.random(400) < 0.1, random.geometric(0.05, 400), one)
    strange = np.where(random.random(400) < 0.5, UNRANKED, random.geometric(0.05, 400))
    return {"one": one, "other": other, "again": one.copy(), "strange": strange}


def test_estimates_are_means_with_an_interval_around_them(ranks):
    resampled = Resampled(ranks, CONFIG)
    found = resampled.estimates("strange")
    assert list(found) == [f"{name}@{k}" for name in ("HR", "NDCG", "MRR", "MAP") for k in (5, 10, 20)]
    assert found["HR@10"].value == np.mean(ranks["strange"] <= 10)
    assert all(one.low < one.value < one.high for one in found.values())
    assert found["MAP@10"] == found["MRR@10"]


def test_systems_that_rank_alike_do_not_differ_in_any_resample(ranks):
    compared = {found.systems: found for found in Resampled(ranks, CONFIG).comparisons() if found.metric == "NDCG@10"}
    assert list(compared) == list(combinations(ranks, 2))
    same = compared["one", "again"]
    assert same.p == same.p_adjusted == 1.0
    assert max(abs(same.difference.low), abs(same.difference.high)) < 1e-12


def test_differences_are_those_of_one_and_the_same_users(ranks):
    resampled = Resampled(ranks, CONFIG)
    hits = (ranks["one"] <= 10).astype(float) - (ranks["other"] <= 10)
    alone = bootstrap_means(hits[:, None], resamples=20_000, seed=5)[:, 0]
    found = next(one for one in resampled.comparisons() if one.systems == ("one", "other") and one.metric == "HR@10")
    assert found.difference.value == pytest.approx(hits.mean())
    bounds = [found.difference.low, found.difference.high]
    np.testing.assert_allclose(bounds, np.quantile(alone, [0.025, 0.975]), atol=3e-3)


def feature(name, *labels_of_items):
    """Item n + 1 carries labels_of_items[n]."""
    values = [value for labels in labels_of_items for value in labels]
    offsets = np.concatenate([[0, 0], np.cumsum([len(labels) for labels in labels_of_items])])
    labels = Texts.of(str(value) for value in range(1, max(values) + 1))
    return Feature(name, True, max(values) + 1, np.array(values, dtype=np.int32), offsets, labels)


def test_diversity_counts_every_feature_and_keeps_them_apart(dataset):
    """Items 1 and 2 share their brand, 1 and 3 a value of another feature that has the same number: no overlap."""
    nothing = [[]] * 27
    brand, colour = feature("brand", [1], [1], [2], *nothing), feature("colour", [1, 2], [3], [1, 2], *nothing)
    described = dataclasses.replace(dataset, features=Features([brand, colour]))
    for pair, overlap in (((1, 2), 1 / 4), ((1, 3), 2 / 4), ((2, 3), 0.0)):
        assert exposure(described, np.array([pair], dtype=np.int32)).diversity == pytest.approx(1 - overlap)


def test_items_without_features_have_no_diversity(dataset):
    assert exposure(dataset, np.array([[1, 2]], dtype=np.int32)).diversity is None
