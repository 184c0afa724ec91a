"""The chunked losses against naive ones, a sample of everything against the full softmax, estimates against sums."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from recsys.model import sampled_losses
from recsys.model.losses import softmax_loss
from recsys.model.negatives import NegativeMixture, Negatives
from recsys.model.sampled_losses import bce_loss, gbce_beta, gbce_loss, sampled_softmax_loss

ITEMS, DIM = 30, 8
FOUND = torch.tensor([2, 3, 3, 3, 7, 7, 11, 12, 20, 29])
SAMPLE = Negatives.of(FOUND, torch.linspace(0.2, 3.0, ITEMS + 1, dtype=torch.float64)[FOUND])


def gbce(*args, **kwargs) -> Tensor:
    return gbce_loss(*args, **kwargs, beta=0.3)


def vectors(positions: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Users, the table of items, targets; every third target is the same item, which is in the sample."""
    torch.manual_seed(0)
    user_ND = torch.randn(positions, DIM, dtype=dtype).requires_grad_()
    items_VD = torch.randn(ITEMS + 1, DIM, dtype=dtype).requires_grad_()
    targets_N = torch.randint(1, ITEMS + 1, (positions,))
    targets_N[::3] = 3
    return user_ND, items_VD, targets_N


def by(loss, user_ND: Tensor, items_VD: Tensor, targets_N: Tensor, drawn: Negatives = SAMPLE) -> Tensor:
    return loss(user_ND, items_VD[targets_N], items_VD[drawn.items_S], targets_N=targets_N, drawn=drawn)


def naive_softmax(user_ND, targets_ND, negatives_SD, *, targets_N, drawn):
    logits_NS = user_ND @ negatives_SD.T - drawn.expected_S.log()
    logits_NS = logits_NS.masked_fill(targets_N[:, None] == drawn.items_S, float("-inf"))
    logits = torch.cat([(user_ND * targets_ND).sum(-1, keepdim=True), logits_NS], dim=-1)
    return -logits.log_softmax(dim=-1)[:, 0].sum()


def naive_gbce(user_ND, targets_ND, negatives_SD, *, targets_N, drawn, beta=0.3):
    own_N = (user_ND * targets_ND).sum(-1)
    misses_NS = targets_N[:, None] != drawn.items_S
    against_NS = torch.log(1 - (user_ND @ negatives_SD.T).sigmoid())[misses_NS]
    return -((own_N.sigmoid() ** beta).log().sum() + against_NS.sum()) / (1 + len(drawn.items_S))


def naive_bce(*args, **kwargs):
    return naive_gbce(*args, **kwargs, beta=1.0)


@pytest.mark.parametrize(
    ("loss", "naive"), [(sampled_softmax_loss, naive_softmax), (bce_loss, naive_bce), (gbce, naive_gbce)]
)
@pytest.mark.parametrize("chunk", [1, 7, 1000])
@pytest.mark.parametrize("positions", [0, 1, 7, 20])
def test_chunked_equals_naive_in_value_and_every_gradient(loss, naive, chunk, positions, monkeypatch):
    monkeypatch.setattr(sampled_losses, "chunk_positions", lambda *_: chunk)
    user_ND, items_VD, targets_N = vectors(positions)
    ours, theirs = (by(function, user_ND, items_VD, targets_N) for function in (loss, naive))
    torch.testing.assert_close(ours, theirs)
    gradients = (torch.autograd.grad(3 * value, (user_ND, items_VD)) for value in (ours, theirs))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def everything(items: Tensor) -> Negatives:
    return Negatives.of(items, torch.ones(len(items)))


@pytest.mark.parametrize("autocast", [False, True])
def test_the_whole_catalogue_as_the_sample_is_the_full_softmax(autocast):
    user_ND, items_VD, targets_N = vectors(40, torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        sampled = by(sampled_softmax_loss, user_ND, items_VD, targets_N, everything(torch.arange(1, ITEMS + 1)))
        full = softmax_loss(user_ND, items_VD, targets_N)
    assert sampled.dtype == torch.float32
    torch.testing.assert_close(sampled, full, rtol=2e-3 if autocast else 1e-6, atol=0)
    gradients = (torch.autograd.grad(value, (user_ND, items_VD)) for value in (sampled, full))
    for one, other in zip(*gradients, strict=True):
        assert one.dtype == torch.float32
        assert (one - other).norm() < (2e-2 if autocast else 1e-5) * other.norm()


@pytest.mark.parametrize("loss", [sampled_softmax_loss, bce_loss, gbce])
def test_under_autocast_it_is_close_to_fp32(loss):
    user_ND, items_VD, targets_N = vectors(64, torch.float32)
    exact = by(loss, user_ND, items_VD, targets_N)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = by(loss, user_ND, items_VD, targets_N)
    torch.testing.assert_close(rounded, exact, rtol=1e-2, atol=0)
    gradients = (torch.autograd.grad(value, (user_ND, items_VD)) for value in (rounded, exact))
    for one, other in zip(*gradients, strict=True):
        assert (one - other).norm() < 0.03 * other.norm()


@pytest.mark.parametrize(
    "mixture",
    [{"uniform": 1}, {"popularity": 1}, {"in_batch": 1}, {"uniform": 1, "popularity": 2, "in_batch": 3}],
    ids=str,
)
def test_the_corrected_normaliser_is_unbiased(mixture):
    """Over draws, and over batches of clicks, E[exp(loss + own score)] is exp(own) plus the sum over what is drawn."""
    user_1D, items_VD, _ = (tensor[:1] if tensor.ndim == 1 else tensor.detach() * 0.6 for tensor in vectors(1))
    own, counts_V, candidates_V = 4, torch.arange(ITEMS + 1) % 7, torch.arange(ITEMS + 1) > 0
    sampler = NegativeMixture.model_validate(mixture).build(counts_V, candidates_V, 12)
    estimates = []
    for _ in range(3000):
        others = torch.multinomial(counts_V.float(), 7, replacement=True)
        drawn = sampler(torch.cat([torch.tensor([own]), others]))
        estimates.append(by(sampled_softmax_loss, user_1D, items_VD, torch.tensor([own]), drawn))
    estimate = (torch.stack(estimates) + user_1D @ items_VD[own]).exp()
    reached_V = candidates_V if "uniform" in mixture else counts_V > 0
    exact = (user_1D @ items_VD[reached_V].T).exp().sum()
    assert (estimate.mean() - exact).abs() < 5 * estimate.std() / len(estimate) ** 0.5


@pytest.mark.parametrize("loss", [sampled_softmax_loss, bce_loss, gbce])
def test_the_target_among_the_negatives_counts_for_nothing(loss):
    user_ND, items_VD, _ = vectors(5)
    targets_N = torch.full((5,), 3)
    negatives_SD = items_VD.detach()[SAMPLE.items_S].requires_grad_()
    columns_S = SAMPLE.items_S == 3
    elsewhere_SD = torch.where(columns_S[:, None], 1e3, negatives_SD)
    ours, other = (
        loss(user_ND, items_VD[targets_N], those, targets_N=targets_N, drawn=SAMPLE)
        for those in (negatives_SD, elsewhere_SD)
    )
    assert ours == other
    (gradient,) = torch.autograd.grad(ours, negatives_SD)
    assert torch.equal(gradient.any(dim=-1), SAMPLE.log_weight_S.isfinite() & ~columns_S)


@pytest.mark.parametrize("loss", [sampled_softmax_loss, bce_loss, gbce])
def test_negatives_that_are_all_the_target_leave_its_own_term_alone(loss):
    user_ND, items_VD, _ = vectors(5, torch.float32)
    targets_N = torch.full((5,), 3)
    value = by(loss, user_ND, items_VD, targets_N, everything(torch.tensor([3, 3, 3])))
    gradients = torch.autograd.grad(value, (user_ND, items_VD))
    if loss is sampled_softmax_loss:
        assert value == 0
        assert all((gradient == 0).all() for gradient in gradients)
    else:
        positive = F.softplus(-user_ND @ items_VD[3]).sum() / 4
        torch.testing.assert_close(value, (0.3 if loss is gbce else 1.0) * positive)
        assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("loss", [sampled_softmax_loss, bce_loss, gbce])
@pytest.mark.parametrize("score", [-1e4, -100.0, 100.0, 1e4])
def test_scores_of_any_size_are_finite(loss, score):
    user_ND = torch.ones(4, 1, requires_grad=True)
    items_VD = torch.full((ITEMS + 1, 1), score)
    items_VD[::2] *= -1
    value = by(loss, user_ND, items_VD.requires_grad_(), torch.tensor([1, 2, 3, 4]))
    gradients = torch.autograd.grad(value, (user_ND, items_VD))
    assert value.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("alpha", [0.01, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("t", [0.0, 0.4, 1.0])
def test_beta_is_the_papers(alpha, t):
    beta = gbce_beta(sampling_rate=alpha, calibration=t)
    assert beta == pytest.approx(alpha * (t * (1 - 1 / alpha) + 1 / alpha))
    if t == 0.0:
        user_ND, items_VD, targets_N = vectors(20)
        values = [by(loss, user_ND, items_VD, targets_N) for loss in (bce_loss, partial_gbce(beta))]
        torch.testing.assert_close(*values)


def partial_gbce(beta: float):
    return lambda *args, **kwargs: gbce_loss(*args, **kwargs, beta=beta)


def test_a_calibrated_gbce_is_least_at_the_true_probability():
    """gSASRec's theorem, at t = 1: with positives p and negatives drawn at rate alpha, the best score is logit(p)."""
    probability, alpha = 0.2, 0.05
    beta = gbce_beta(sampling_rate=alpha, calibration=1.0)
    logit = torch.linspace(-4, 2, 6001, dtype=torch.float64)
    expected = -probability * beta * F.logsigmoid(logit) - (1 - probability) * alpha * F.logsigmoid(-logit)
    best = logit[expected.argmin()].sigmoid()
    assert best.item() == pytest.approx(probability, abs=1e-3)
