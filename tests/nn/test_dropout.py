"""Our dropout is torch's in law: share dropped, mean, gradient, identity in evaluation."""

import pytest
import torch

from recsys.nn.dropout import Dropout, dropout_mask

MANY = 1 << 20


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
def test_drops_its_share_and_keeps_the_mean(p):
    torch.manual_seed(0)
    mask = dropout_mask(torch.empty(MANY), p)
    five_sigma = 5 * (p * (1 - p) / MANY) ** 0.5
    assert abs((mask == 0).float().mean() - p) < five_sigma
    assert abs(mask.mean() - 1) < five_sigma / (1 - p)
    assert len(mask.unique()) == 2


def test_the_four_elements_of_one_draw_are_independent():
    torch.manual_seed(0)
    kept = (dropout_mask(torch.empty(MANY // 4, 4), 0.5) > 0).float()
    correlation = torch.corrcoef(kept.T) - torch.eye(4)
    assert correlation.abs().max() < 5 / (MANY // 4) ** 0.5


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (5, 7), (2, 3, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_any_shape_and_type(shape, dtype):
    mask = dropout_mask(torch.empty(shape, dtype=dtype), 0.5)
    assert mask.shape == shape
    assert mask.dtype == dtype


def test_the_gradient_is_the_mask():
    x = torch.randn(50, 50, requires_grad=True)
    out = Dropout(0.3)(x)
    out.sum().backward()
    torch.testing.assert_close(out, x * x.grad)


def test_evaluation_and_a_share_of_nothing_leave_the_input_alone():
    x = torch.randn(10, 10)
    assert torch.equal(Dropout(0.3).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)


def test_a_share_that_rounds_to_everything_still_keeps_something_to_scale():
    assert dropout_mask(torch.empty(MANY), 1 - 1e-9).isfinite().all()


def test_the_seed_decides():
    x = torch.ones(100)
    torch.manual_seed(3)
    once = Dropout(0.5)(x)
    torch.manual_seed(3)
    assert torch.equal(Dropout(0.5)(x), once)
