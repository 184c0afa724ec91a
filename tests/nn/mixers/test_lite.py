"""Long-short range attention is its two parts, each with channels of its own."""

import pytest
import torch

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.attention import SoftmaxAttention
from recsys.nn.mixers.convolution import Convolution, ConvolutionConfig
from recsys.nn.mixers.lite import LiteConfig, SplitMixer
from recsys.nn.mixers.mixer import Mixer
from recsys.nn.shape import SequenceShape
from tests.nn.mixers.contract import (
    BIDIRECTIONAL,
    CAUSAL,
    DIM,
    LENGTH,
    LENGTHS,
    events,
    label,
    packed_rows_are_mixed_as_padded_ones,
    padding_changes_nothing,
)

SHAPE = SequenceShape(DIM, LENGTH)
# attention leaves at padding what it likes, and reads packed rows causally only
KEPT = [
    rule
    for rule in CAUSAL + BIDIRECTIONAL
    if rule[0] is not padding_changes_nothing and rule != (packed_rows_are_mixed_as_padded_ones, False)
]


def lite(share: float, **settings) -> SplitMixer:
    torch.manual_seed(0)
    return LiteConfig(share=share, kernel_size=3, **settings).build(SHAPE).double()


@pytest.mark.parametrize(("check", "causal"), KEPT, ids=label)
def test_it_keeps_the_contract(check, causal):
    check(lite(0.5), causal)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("pads", [1, 7])
def test_padding_changes_nothing(pads, causal):
    mixer, context = lite(0.5), SequenceContext(LENGTHS, causal=causal)
    valid_BL = context.valid_BL(LENGTH)
    padded = torch.full((len(LENGTHS), LENGTH + pads, DIM), 9.0, dtype=torch.float64)
    padded[:, :LENGTH][valid_BL] = events()[valid_BL]
    torch.testing.assert_close(mixer(padded, context)[:, :LENGTH][valid_BL], mixer(events(), context)[valid_BL])


@pytest.mark.parametrize("causal", [True, False])
def test_the_first_channels_attend_and_the_others_are_convolved(causal):
    mixer, context = lite(0.25), SequenceContext(LENGTHS, causal=causal)
    attention, convolution = mixer.mixers
    assert isinstance(attention, SoftmaxAttention)
    assert isinstance(convolution, Convolution)
    parts = attention(events()[..., :2], context), convolution(events()[..., 2:], context)
    assert torch.equal(mixer(events(), context), torch.cat(parts, dim=-1))


@pytest.mark.parametrize("causal", [True, False])
def test_where_all_channels_attend_it_is_exact_attention(causal):
    mixer, exact, context = lite(1.0), SoftmaxAttention(DIM, 2).double(), SequenceContext(LENGTHS, causal=causal)
    exact.load_state_dict({name.removeprefix("mixers.0."): value for name, value in mixer.state_dict().items()})
    assert torch.equal(mixer(events(), context), exact(events(), context))
    assert torch.equal(mixer.last(events(), context), exact.last(events(), context))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("kernel", ["lightweight", "dynamic"])
def test_where_none_attends_it_is_the_convolution(kernel, causal):
    mixer, context = lite(0.0, kernel=kernel), SequenceContext(LENGTHS, causal=causal)
    convolution = ConvolutionConfig(kernel=kernel, kernel_size=3).build(SHAPE).double()
    convolution.load_state_dict({name.removeprefix("mixers.0."): value for name, value in mixer.state_dict().items()})
    assert torch.equal(mixer(events(), context), convolution(events(), context))


def test_what_a_target_would_become_is_what_it_becomes_behind_its_row():
    mixer, context = lite(0.5), SequenceContext(LENGTHS, causal=False)
    targets_BND = events(length=3)
    beyond = mixer.beyond(events(), context, targets_BND)
    torch.testing.assert_close(beyond, Mixer.beyond(mixer, events(), context, targets_BND))


def test_both_parts_must_share_their_channels_among_the_heads():
    LiteConfig(share=0.5, num_heads=4).require_fit(16)
    with pytest.raises(ValueError, match=r"leaves 4 channels to attention and 12 to .* by mixer.num_heads \(8\)"):
        LiteConfig(share=0.25, num_heads=8).require_fit(16)
