"""The chunked softmax against the naive one."""

import pytest
import torch
import torch.nn.functional as F

from recsys.model import losses
from recsys.model.losses import smoothing_loss, softmax_loss

ITEMS, DIM = 50, 8


def tensors(positions: int, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    user_ND = torch.randn(positions, DIM, dtype=dtype, generator=generator).requires_grad_()
    items_VD = torch.randn(ITEMS + 1, DIM, dtype=dtype, generator=generator).requires_grad_()
    return user_ND, items_VD, torch.randint(1, ITEMS + 1, (positions,), generator=generator)


def naive(user_ND: torch.Tensor, items_VD: torch.Tensor, targets_N: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(user_ND @ items_VD[1:].T, targets_N - 1, reduction="sum")


@pytest.mark.parametrize("positions", [0, 1, 6, 7, 8, 40])
@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_chunked_equals_naive_in_value_and_gradient(positions, chunk, monkeypatch):
    monkeypatch.setattr(losses, "chunk_positions", lambda *_: chunk)
    user_ND, items_VD, targets_N = tensors(positions, torch.float32)
    chunked = torch.autograd.grad(3 * softmax_loss(user_ND, items_VD, targets_N), (user_ND, items_VD))
    expected = torch.autograd.grad(3 * naive(user_ND, items_VD, targets_N), (user_ND, items_VD))
    torch.testing.assert_close(softmax_loss(user_ND, items_VD, targets_N), naive(user_ND, items_VD, targets_N))
    for ours, theirs in zip(chunked, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-3, 30.0, 1e4])
def test_scores_of_any_size_lose_nothing(scale):
    user_ND, items_VD, targets_N = tensors(40, torch.float32)
    user_ND = (user_ND * scale).detach().requires_grad_()
    ours, theirs = (loss(user_ND, items_VD, targets_N) for loss in (softmax_loss, naive))
    torch.testing.assert_close(ours, theirs)
    gradients = (torch.autograd.grad(loss, (user_ND, items_VD)) for loss in (ours, theirs))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6 * other.abs().max().item(), rtol=1e-4)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("num_items", [1, 3_416, 12_101, 10**6, 10**8])
def test_a_chunk_of_logits_is_a_few_tens_of_megabytes_at_most(num_items, device):
    positions = losses.chunk_positions(num_items, torch.device(device))
    assert positions >= 1
    assert positions == 1 or 4 * positions * num_items <= 32 << 20


def test_a_padding_row_has_no_share():
    user_ND, items_VD, targets_N = tensors(5)
    items_VD.data[0] = 100.0
    (gradient,) = torch.autograd.grad(softmax_loss(user_ND, items_VD, targets_N), items_VD)
    assert (gradient[0] == 0).all()


def test_under_autocast_it_is_close_to_fp32():
    user_ND, items_VD, targets_N = tensors(64, torch.float32)
    exact = torch.autograd.grad(softmax_loss(user_ND, items_VD, targets_N), (user_ND, items_VD))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = softmax_loss(user_ND, items_VD, targets_N)
    rounded = torch.autograd.grad(loss, (user_ND, items_VD))
    assert rounded[0].dtype == torch.float32
    torch.testing.assert_close(loss, naive(user_ND, items_VD, targets_N), rtol=2e-2, atol=0)
    for ours, theirs in zip(rounded, exact, strict=True):
        assert (ours - theirs).norm() < 0.03 * theirs.norm()


@pytest.mark.parametrize("smoothing", [0.1, 0.9])
def test_label_smoothing_is_torch_s_in_value_and_gradient(smoothing):
    user_ND, items_VD, targets_N = tensors(40)
    loss = softmax_loss(user_ND, items_VD, targets_N) + smoothing_loss(user_ND, items_VD, targets_N, smoothing)
    logits_NV = user_ND @ items_VD[1:].T
    expected = F.cross_entropy(logits_NV, targets_N - 1, reduction="sum", label_smoothing=smoothing)
    gradients = [torch.autograd.grad(one, (user_ND, items_VD)) for one in (loss, expected)]
    assert float((loss - expected).detach()) == pytest.approx(0.0, abs=1e-3)
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
