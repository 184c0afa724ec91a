"""Scaled dot-product attention, and the same with rotary positions: all pairs written out."""

import pytest
import torch

from recsys.nn.mixers.attention import SoftmaxConfig, merge_heads, split_heads
from recsys.nn.mixers.rotary import RotaryConfig
from recsys.nn.shape import SequenceShape
from tests.nn.mixers.contract import DIM, LENGTH, LENGTHS, events, whole
from tests.nn.mixers.dense import attended, readable_BLL


def turned(x_BHLK: torch.Tensor, base: float) -> torch.Tensor:
    """Pairs of numbers as complex ones, turned by an angle that grows with their place."""
    first, second = x_BHLK.chunk(2, dim=-1)
    frequencies = base ** -(torch.arange(first.shape[-1]) * 2 / x_BHLK.shape[-1]).double()
    angles_LJ = torch.arange(x_BHLK.shape[2]).double()[:, None] * frequencies
    turned = torch.complex(first, second) * torch.polar(torch.ones_like(angles_LJ), angles_LJ)
    return torch.cat([turned.real, turned.imag], dim=-1)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("num_heads", [1, 2, 4])
@pytest.mark.parametrize("kind", ["softmax", "rotary"])
def test_it_is_the_formula_written_out(kind, num_heads, causal):
    torch.manual_seed(0)
    config = SoftmaxConfig(num_heads=num_heads) if kind == "softmax" else RotaryConfig(num_heads=num_heads, base=50.0)
    mixer = config.build(SequenceShape(DIM, LENGTH)).double()
    q, k, v = (split_heads(part, num_heads) for part in mixer.to_qkv(events()).chunk(3, dim=-1))
    if kind == "rotary":
        q, k = turned(q, 50.0), turned(k, 50.0)
    context = whole(len(LENGTHS), LENGTH, causal=causal)
    expected = mixer.to_out(merge_heads(attended(q, k, v, readable_BLL(context, LENGTH))))
    torch.testing.assert_close(mixer(events(), context), expected, atol=1e-6, rtol=0)
