"""Local attention: how far it reads, and that it makes nothing of the size of all pairs."""

import pytest
import torch

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.local import LocalAttention, LocalConfig
from recsys.nn.shape import SequenceShape
from tests.nn.mixers.contract import DIM, LENGTH, LENGTHS, events
from tests.nn.mixers.dense import dense, pattern_bias


def local(window: int) -> LocalAttention:
    torch.manual_seed(0)
    return LocalConfig(window=window).build(SequenceShape(DIM, LENGTH)).double()


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("window", [1, 2, 3, 5])
@pytest.mark.parametrize("length", [1, 2, 6, 9, LENGTH])
def test_it_is_attention_to_what_is_near(length, window, causal):
    mixer, x_BLD = local(window), events()[:, :length]
    context = SequenceContext(LENGTHS.clamp(max=length), causal=causal)
    near = pattern_bias(lambda i, j: abs(i - j) < window, length)
    torch.testing.assert_close(mixer(x_BLD, context), dense(mixer, x_BLD, context, bias=near))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("window", [LENGTH, LENGTH + 1, 100])
def test_a_window_as_long_as_the_row_is_softmax_attention(window, causal):
    mixer, context = local(window), SequenceContext(LENGTHS, causal=causal)
    torch.testing.assert_close(mixer(events(), context), dense(mixer, events(), context))


def test_a_window_of_one_reads_nothing_but_itself():
    mixer, x_BLD = local(1), events()
    context = SequenceContext(torch.full((len(LENGTHS),), LENGTH), causal=False)
    torch.testing.assert_close(mixer(x_BLD, context), mixer.to_out(mixer.to_qkv(x_BLD)[..., 2 * DIM :]))


@pytest.mark.parametrize("num_blocks", [1, 2, 3])
def test_a_stack_reads_as_far_back_as_it_says(num_blocks):
    x_BLD = mixed_BLD = events(1).requires_grad_()
    for _ in range(num_blocks):
        mixed_BLD = local(3)(mixed_BLD, SequenceContext(torch.tensor([LENGTH])))
    (gradient,) = torch.autograd.grad(mixed_BLD[0, -1].sum(), x_BLD)
    read = (gradient[0] != 0).any(dim=-1).nonzero()[:, 0].tolist()
    assert read == [*range(LENGTH - 1 - num_blocks * 2, LENGTH)]


def test_the_last_click_reads_no_more_than_its_window():
    mixer, x_BLD = local(3), events(2)
    shapes = []
    mixer.to_out.register_forward_hook(lambda _, inputs, __: shapes.append(inputs[0].shape))
    mixer.to_qkv.register_forward_hook(lambda *_: pytest.fail("all queries, keys and values were made"))
    mixer.last(x_BLD, SequenceContext(torch.tensor([LENGTH, 2])))
    assert shapes == [(2, 1, DIM)]


def test_half_precision_is_close():
    mixer, x_BLD, context = local(3).float(), events().float(), SequenceContext(LENGTHS)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = mixer(x_BLD, context)
    torch.testing.assert_close(mixed.float(), mixer(x_BLD, context), atol=0.05, rtol=0)
