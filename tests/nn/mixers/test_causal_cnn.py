"""The convolutional mixer: how far it reads, and the sum written out."""

import pytest
import torch

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.causal_cnn import CausalCnn, CausalCnnConfig
from recsys.nn.shape import SequenceShape
from tests.nn.mixers.contract import DIM, LENGTH, LENGTHS, events


def cnn(kernel_size: int, dilation: int) -> CausalCnn:
    torch.manual_seed(0)
    config = CausalCnnConfig(kernel_size=kernel_size, dilation=dilation)
    return config.build(SequenceShape(DIM, LENGTH)).double()


@pytest.mark.parametrize(("kernel_size", "dilation"), [(1, 1), (3, 1), (3, 2)])
def test_it_is_the_sum_written_out_and_a_kernel_of_one_is_pointwise(kernel_size, dilation):
    mixer, x_BLD = cnn(kernel_size, dilation), events()
    mixed = mixer(x_BLD, SequenceContext(torch.full((len(LENGTHS),), LENGTH)))
    for t in range(LENGTH):
        read = [(tap, t - (kernel_size - 1 - tap) * dilation) for tap in range(kernel_size)]
        total = sum(x_BLD[:, place] @ mixer.conv.weight[..., tap].T for tap, place in read if place >= 0)
        value, gate = (total + mixer.conv.bias).chunk(2, dim=-1)
        torch.testing.assert_close(mixed[:, t], value * gate.sigmoid())


@pytest.mark.parametrize(("kernel_size", "dilation"), [(1, 1), (3, 1), (3, 2)])
def test_a_position_reads_every_dilation_th_click_and_no_farther_than_it_says(kernel_size, dilation):
    mixer, x_BLD, t = cnn(kernel_size, dilation), events(1).requires_grad_(), LENGTH - 1
    (gradient,) = torch.autograd.grad(mixer(x_BLD, SequenceContext(torch.tensor([LENGTH])))[0, t].sum(), x_BLD)
    read = (gradient[0] != 0).any(dim=-1).nonzero()[:, 0].tolist()
    assert read == [*range(t - mixer.reach, t + 1, dilation)]


def test_it_reads_what_is_earlier_whatever_it_is_asked():
    assert CausalCnnConfig.causal_only
    mixed = [cnn(3, 1)(events(), SequenceContext(LENGTHS, causal=causal)) for causal in (True, False)]
    assert torch.equal(*mixed)
