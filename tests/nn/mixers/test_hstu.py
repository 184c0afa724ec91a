"""HSTU's attention: the formula that its class tells, and where it is the paper's."""

import pytest
import torch
import torch.nn.functional as F

from recsys.nn.context import SequenceContext
from recsys.nn.encoder import Encoder, EncoderConfig
from recsys.nn.mixers.hstu import Hstu, HstuConfig
from recsys.nn.shape import SequenceShape
from tests.nn.mixers.contract import DIM, LENGTH, LENGTHS, events


def hstu(max_distance: int = 4, num_heads: int = 2) -> Hstu:
    torch.manual_seed(0)
    config = HstuConfig(num_heads=num_heads, max_distance=max_distance)
    mixer = config.build(SequenceShape(DIM, LENGTH)).double()
    torch.nn.init.normal_(mixer.bias_RH)
    return mixer


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("num_heads", [1, 4])
def test_it_is_the_formula_written_out(num_heads, causal):
    mixer, x_LD, width = hstu(num_heads=num_heads), events()[2], DIM // num_heads
    u_LD, v_LD, q_LD, k_LD = F.silu(x_LD @ mixer.to_uvqk.weight.T).split(DIM, dim=-1)
    for i in range(LENGTH):
        readable = range(i + 1 if causal else LENGTH)
        heads = []
        for h in range(num_heads):
            own = slice(h * width, (h + 1) * width)
            bias = [mixer.bias_RH[max(-4, min(4, i - j)) + 4, h] for j in readable]
            scores = [q_LD[i, own] @ k_LD[j, own] / width**0.5 for j in readable]
            weights = [F.silu(score + add) for score, add in zip(scores, bias, strict=True)]
            heads.append(sum(weight * v_LD[j, own] for weight, j in zip(weights, readable, strict=True)))
        expected = (mixer.norm(torch.cat(heads)) * u_LD[i]) @ mixer.to_out.weight.T
        mixed = mixer(events(), SequenceContext(torch.full((4,), LENGTH), causal=causal))[2, i]
        torch.testing.assert_close(mixed, expected)


@pytest.mark.parametrize("length", [1, 10, 200, 1000])
def test_what_is_read_comes_out_of_the_norm_at_unit_scale_however_much_it_is(length):
    """So a divisor, as the paper has one, would change nothing."""
    torch.manual_seed(0)
    mixer, given = HstuConfig().build(SequenceShape(64, length)), []
    mixer.norm.register_forward_hook(lambda *call: given.append(call[-1]))
    mixer(torch.randn(2, length, 64), SequenceContext(torch.full((2,), length)))
    (normed_BLD,) = given
    assert normed_BLD.std(dim=-1, correction=0).min() > 0.95


def test_places_count_by_their_distance_alone():
    mixer, x_BLD = hstu(max_distance=LENGTH), events()
    unbiased = hstu(max_distance=LENGTH)
    torch.nn.init.zeros_(unbiased.bias_RH)
    context = SequenceContext(torch.full((4,), LENGTH), causal=False)
    turned = x_BLD.flip(1)
    torch.testing.assert_close(unbiased(turned, context), unbiased(x_BLD, context).flip(1))
    assert not torch.allclose(mixer(turned, context), mixer(x_BLD, context).flip(1))
    bias_HLL = mixer.bias_HLL(LENGTH)
    torch.testing.assert_close(bias_HLL[:, 1:, 1:], bias_HLL[:, :-1, :-1])


def test_its_block_needs_no_feedforward():
    """The union of mixers is not told of here, so the mixer takes another's place."""
    config = EncoderConfig.model_validate({"dim": DIM, "feedforward": {"kind": "none"}})
    encoder = Encoder(config, max_length=LENGTH).double().eval()
    for block in encoder.blocks:
        block.mixer = hstu()
    names = {name.split(".", 2)[2] for name, _ in encoder.named_parameters() if name.startswith("blocks.")}
    assert {name.split(".")[0] for name in names} == {"mixer", "mixing"}
    context = SequenceContext(LENGTHS)
    torch.testing.assert_close(encoder.last(events(), context), context.last(encoder(events(), context)))
