"""How a branch joins the stream: the equation of each kind, and how many of them still train."""

import pytest
import torch

from recsys.nn.context import SequenceContext
from recsys.nn.encoder import Encoder, EncoderConfig
from recsys.nn.residual import RESIDUALS, Gated

DIM, DEPTH = 16, 24


def residual(kind: str):
    torch.manual_seed(0)
    return RESIDUALS[kind](torch.nn.LayerNorm(DIM), DIM, 0.0).eval()


def test_each_kind_is_its_equation():
    x, branch = torch.randn(2, 3, DIM)
    pre, post, gated = (residual(kind) for kind in ("pre_norm", "post_norm", "gated"))
    torch.testing.assert_close(pre.join(x, pre.read(x), branch), x + branch)
    assert torch.equal(pre.read(x), pre.norm(x))
    torch.testing.assert_close(post.join(x, post.read(x), branch), post.norm(x + branch))
    assert torch.equal(post.read(x), x)
    assert isinstance(gated, Gated)
    gate = torch.sigmoid(gated.norm(x) @ gated.gate.weight.T + gated.gate.bias)
    torch.testing.assert_close(gated.join(x, gated.read(x), branch), x + gate * branch)


def test_a_closed_gate_leaves_the_stream_and_an_open_one_is_pre_norm():
    x, branch = torch.randn(2, 3, DIM)
    gated = residual("gated")
    assert isinstance(gated, Gated)
    for bias, expected in ((-99.0, x), (99.0, x + branch)):
        torch.nn.init.zeros_(gated.gate.weight)
        torch.nn.init.constant_(gated.gate.bias, bias)
        torch.testing.assert_close(gated.join(x, gated.read(x), branch), expected)


@pytest.mark.parametrize("kind", ["pre_norm", "gated"])
def test_gradients_of_a_deep_stack_are_even(kind):
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(dim=DIM, num_blocks=DEPTH, residual=kind, dropout=0.0), max_length=9)
    context = SequenceContext(torch.full((8,), 9))
    (encoder(torch.randn(8, 9, DIM), context) * torch.randn(8, 9, DIM)).sum().backward()
    norms = [block.feedforward.down.weight.grad.norm() for block in encoder.blocks]
    assert max(norms) < 10 * min(norms)
