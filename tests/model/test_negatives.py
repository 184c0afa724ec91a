"""What is drawn, how often, and that it is expected to be drawn as often as it is."""

import pytest
import torch
from pydantic import ValidationError

from recsys.errors import ConfigError
from recsys.model import negative_sources
from recsys.model.negative_sources import InBatchSource, PopularitySource, UniformSource
from recsys.model.negatives import NegativeMixture, Negatives, NegativeSampler, split_draws
from recsys.model.objectives import SampledSoftmaxConfig

#                       pad                          first and last: no candidate, never clicked
COUNTS_V = torch.tensor([0, 0, 5, 1, 0, 20, 2, 7, 0, 3, 0])
CANDIDATES_V = torch.tensor([0, 0, 1, 1, 1, 1, 1, 0, 1, 1, 0], dtype=torch.bool)
MIXTURES = [
    {"uniform": 1},
    {"popularity": 1},
    {"in_batch": 1},
    {"uniform": 1, "popularity": 3},
    {"uniform": 2, "popularity": 1, "in_batch": 5},
]


def sampler(mixture: dict[str, float], num_negatives: int = 64) -> NegativeSampler:
    return NegativeMixture.model_validate(mixture).build(COUNTS_V, CANDIDATES_V, num_negatives)


def batch(own: int, size: int = 6) -> torch.Tensor:
    """A position's target and those of others, which are clicks of training."""
    return torch.cat([torch.tensor([own]), torch.multinomial(COUNTS_V.float(), size - 1, replacement=True)])


@pytest.mark.parametrize("mixture", MIXTURES, ids=str)
def test_an_item_is_drawn_as_often_as_expected(mixture):
    torch.manual_seed(0)
    draw, own, runs = sampler(mixture), 5, 3000
    drawn_RV, expected_V = torch.zeros(runs, len(COUNTS_V)), torch.zeros(len(COUNTS_V))
    for run in range(runs):
        negatives = draw(batch(own))
        drawn_RV[run] = torch.bincount(negatives.items_S, minlength=len(COUNTS_V))
        expected_V[negatives.items_S] = negatives.expected_S
        assert len(negatives.items_S) == negatives.counts_S.sum() == 64
    others_V = torch.arange(len(COUNTS_V)) != own
    error_V = drawn_RV.std(dim=0) / runs**0.5
    off_V = (drawn_RV.mean(dim=0) - expected_V).abs()
    assert (off_V <= 5 * error_V + 1e-4)[others_V].all()
    if "in_batch" not in mixture:
        assert expected_V.sum() == pytest.approx(64)


@pytest.mark.parametrize("quantile", [0.0, 1 - 2.0**-53, 1.0])
@pytest.mark.parametrize(
    ("source", "lowest", "highest"), [(UniformSource(CANDIDATES_V, 3), 2, 9), (PopularitySource(COUNTS_V, 3), 2, 9)]
)
def test_the_ends_of_a_distribution_are_its_outermost_items(source, lowest, highest, quantile, monkeypatch):
    monkeypatch.setattr(negative_sources, "_quantiles", lambda num, _: torch.full((num,), quantile).double())
    assert set(source.draw(torch.tensor([5])).tolist()) == {lowest if quantile == 0.0 else highest}


def test_the_last_number_below_one_is_never_rounded_past_the_last_item(monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda num, **_: torch.full((num,), 1 - 2.0**-53).double())
    for num_draws in (1, 3, 7, 1000):
        assert UniformSource(CANDIDATES_V, num_draws).draw(torch.tensor([5])).max() == 9
        assert PopularitySource(COUNTS_V, num_draws).draw(torch.tensor([5])).max() == 9


@pytest.mark.parametrize("mixture", [{"uniform": 1}, {"popularity": 1}, {"uniform": 1, "popularity": 1}], ids=str)
def test_padding_and_what_is_no_candidate_are_never_drawn(mixture):
    for _ in range(50):
        assert CANDIDATES_V[sampler(mixture, 500)(torch.tensor([5])).items_S].all()


def test_as_many_draws_as_candidates_are_each_of_them_once():
    negatives = sampler({"uniform": 1}, int(CANDIDATES_V.sum()))(torch.tensor([5]))
    assert negatives.items_S.tolist() == CANDIDATES_V.nonzero().flatten().tolist()
    assert (negatives.log_weight_S == 0).all()


def test_from_the_batch_come_its_own_targets_alone():
    targets_N = torch.tensor([3, 9, 9, 2])
    items_S = InBatchSource(COUNTS_V, 40).draw(targets_N)
    assert torch.bincount(items_S).tolist() == [0, 0, 10, 10, 0, 0, 0, 0, 0, 20]


def test_an_empty_batch_has_nothing_to_draw_from():
    none = torch.zeros(0, dtype=torch.int64)
    assert len(sampler({"in_batch": 1})(none).items_S) == 0
    assert len(sampler({"in_batch": 1, "uniform": 1})(none).items_S) == 32


def test_an_item_drawn_again_counts_in_its_first_column_alone():
    items_S = torch.tensor([4, 7, 7, 7, 9])
    negatives = Negatives.of(items_S, torch.tensor([0.1, 2.5, 2.5, 2.5, 0.1]))
    assert negatives.counts_S.tolist() == [1, 3, 0, 0, 1]
    torch.testing.assert_close(negatives.log_weight_S.exp(), torch.tensor([10, 1.2, 0, 0, 10]))
    assert negatives.columns_of(torch.tensor([9, 1, 7, 8, 4, 10])).tolist() == [4, -1, 1, -1, 0, -1]


@pytest.mark.parametrize("shares", [(1.0, 0.0, 0.0), (0.2, 0.3, 0.5), (1e-9, 1e9, 1.0), (1 / 3, 1 / 3, 1 / 3)])
@pytest.mark.parametrize("total", [1, 2, 7, 1024])
def test_draws_are_split_in_proportion(shares, total):
    draws = split_draws(shares, total)
    assert sum(draws) == total
    assert all(abs(num - total * share / sum(shares)) <= 1 for num, share in zip(draws, shares, strict=True))
    assert all(num == 0 for num, share in zip(draws, shares, strict=True) if share == 0)


@pytest.mark.parametrize(
    ("objective", "told"),
    [
        ({"negatives": {}}, "every share is 0"),
        ({"negatives": {"uniform": 0, "in_batch": 0}}, r"every share is 0.*use \{uniform: 1\}"),
        ({"negatives": {"uniform": -1}}, "greater than or equal to 0"),
        ({"negatives": {"in_batch": float("inf")}}, "finite"),
        ({"num_negatives": 3, "negatives": {"uniform": 99, "popularity": 1}}, "num_negatives is 3, too few to draw"),
    ],
)
def test_a_mixture_of_nothing_is_refused(objective, told):
    with pytest.raises(ValidationError, match=told):
        SampledSoftmaxConfig.model_validate(objective)


@pytest.mark.parametrize("source", ["popularity", "in_batch"])
def test_clicks_on_nothing_are_refused(source):
    mixture = NegativeMixture.model_validate({source: 1})
    with pytest.raises(ConfigError, match="no candidate was clicked in training"):
        mixture.build(torch.zeros_like(COUNTS_V), CANDIDATES_V, 8)
