"""Long-short range attention is its two parts, each with channels of its own."""

import pytest
import torch
from pydantic import ValidationError

from recsys.nn.context import SequenceContext
from recsys.nn.encoder import EncoderConfig
from recsys.nn.feedforward import FeedForwardConfig
from recsys.nn.mixers.attention import SoftmaxAttention
from recsys.nn.mixers.convolution import Convolution, ConvolutionConfig
from recsys.nn.mixers.lite import LiteConfig, SplitMixer
from recsys.nn.shape import SequenceShape
from tests.nn.mixers.contract import DIM, LENGTH, LENGTHS, events, real
from tests.nn.mixers.dense import dense

SHAPE = SequenceShape(DIM, LENGTH)


def lite(share: float, **settings) -> SplitMixer:
    torch.manual_seed(0)
    return LiteConfig(share=share, kernel_size=3, **settings).build(SHAPE).double()


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
    mixer, context = lite(1.0), SequenceContext(LENGTHS, causal=causal)
    (exact,) = mixer.mixers
    mixed = mixer(events(), context) * real(LENGTHS, LENGTH)[..., None]
    torch.testing.assert_close(mixed, dense(exact, events(), context))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("kernel", ["lightweight", "dynamic"])
def test_where_none_attends_it_is_the_convolution(kernel, causal):
    mixer, context = lite(0.0, kernel=kernel), SequenceContext(LENGTHS, causal=causal)
    convolution = ConvolutionConfig(kernel=kernel, kernel_size=3).build(SHAPE).double()
    convolution.load_state_dict({name.removeprefix("mixers.0."): value for name, value in mixer.state_dict().items()})
    assert torch.equal(mixer(events(), context), convolution(events(), context))


def test_both_parts_must_share_their_channels_among_the_heads():
    LiteConfig(share=0.5, num_heads=4).require_fit(16)
    with pytest.raises(ValueError, match=r"leaves 4 channels to attention and 12 to .* by mixer.num_heads \(8\)"):
        LiteConfig(share=0.25, num_heads=8).require_fit(16)


@pytest.mark.parametrize(("share", "told"), [(0.01, "leaves 0 channels to"), (0.99, "to attention and 0 to the conv")])
def test_a_part_that_is_asked_for_has_channels(share, told):
    with pytest.raises(ValueError, match=told):
        LiteConfig(share=share, num_heads=1).require_fit(16)


def test_its_halves_meet_in_a_feedforward():
    with pytest.raises(ValidationError, match=r"bring its two halves together, and feedforward\.kind is none: choose"):
        EncoderConfig(mixer=LiteConfig(), feedforward=FeedForwardConfig(kind="none"))
    for share in (0.0, 1.0):
        EncoderConfig(mixer=LiteConfig(share=share), feedforward=FeedForwardConfig(kind="none"))
