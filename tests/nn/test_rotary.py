"""Rotary positions: scores depend on how far apart two clicks stand, and on nothing else of their places."""

import pytest
import torch
from pydantic import ValidationError

from recsys.nn.context import SequenceContext
from recsys.nn.encoder import EncoderConfig
from recsys.nn.mixers.rotary import Rotary, RotaryAttention

WIDTH = 8


def test_scores_depend_on_distance_alone():
    rotary = Rotary(WIDTH, base=10_000.0).double()
    q, k = torch.randn(2, WIDTH, dtype=torch.float64)
    scores = [rotary(q, torch.tensor(t)) @ rotary(k, torch.tensor(t - 3)) for t in (3, 4, 200)]
    torch.testing.assert_close(scores[1:], scores[:1] * 2, atol=1e-5, rtol=0)
    assert not torch.isclose(scores[0], q @ k)


def test_a_turn_keeps_length_and_the_first_place_is_no_turn():
    rotary, x = Rotary(WIDTH, base=100.0), torch.randn(5, WIDTH)
    turned = rotary(x, torch.arange(5))
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    assert torch.equal(turned[0], x[0])


def test_order_matters_without_any_other_positions():
    torch.manual_seed(0)
    mixer = RotaryAttention(16, 2, base=10_000.0)
    x_BLD, context = torch.randn(1, 4, 16), SequenceContext(torch.tensor([4]))
    swapped = x_BLD[:, [1, 0, 2, 3]]
    assert not torch.allclose(mixer(x_BLD, context)[:, -1], mixer(swapped, context)[:, -1])


def test_a_head_needs_an_even_width():
    with pytest.raises(ValidationError, match=r"a rotary head needs an even width, and dim \(6\) / mixer.num_heads"):
        EncoderConfig.model_validate({"dim": 6, "mixer": {"kind": "rotary", "num_heads": 2}})
