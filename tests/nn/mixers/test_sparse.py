"""Sparse attention: both patterns with all pairs written out, and what two layers reach."""

import pytest
import torch
from pydantic import ValidationError

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.sparse import SparseAttention, SparseConfig
from recsys.nn.shape import SequenceShape
from tests.nn.mixers.contract import DIM, LENGTH, LENGTHS, events
from tests.nn.mixers.dense import dense, pattern_bias

PATTERNS = [("strided", 1, 1), ("strided", 3, 1), ("strided", 4, 1), ("fixed", 1, 1), ("fixed", 4, 1), ("fixed", 3, 2)]
each_pattern = pytest.mark.parametrize(("pattern", "stride", "summary"), PATTERNS)
each_direction = pytest.mark.parametrize("causal", [True, False])


def sparse(pattern: str, stride: int, summary: int, *, seed: int = 0) -> SparseAttention:
    torch.manual_seed(seed)
    config = SparseConfig(pattern=pattern, stride=stride, summary=summary)
    return config.build(SequenceShape(DIM, LENGTH)).double()


def reads(pattern: str, stride: int, summary: int):
    if pattern == "strided":
        return lambda i, j: abs(i - j) < stride or (i - j) % stride == 0
    return lambda i, j: i // stride == j // stride or j % stride >= stride - summary


@each_pattern
@each_direction
@pytest.mark.parametrize("length", [1, 2, 6, 8, LENGTH])
def test_it_is_attention_to_the_pattern(length, causal, pattern, stride, summary):
    mixer, x_BLD = sparse(pattern, stride, summary), events()[:, :length]
    context = SequenceContext(LENGTHS.clamp(max=length), causal=causal)
    bias = pattern_bias(reads(pattern, stride, summary), length)
    torch.testing.assert_close(mixer(x_BLD, context), dense(mixer, x_BLD, context, bias=bias))


@each_direction
@pytest.mark.parametrize("stride", [LENGTH, LENGTH + 1, 100])
@pytest.mark.parametrize("pattern", ["strided", "fixed"])
def test_a_stride_as_long_as_the_row_is_softmax_attention(pattern, stride, causal):
    mixer, context = sparse(pattern, stride, 4), SequenceContext(LENGTHS, causal=causal)
    torch.testing.assert_close(mixer(events(), context), dense(mixer, events(), context))


@pytest.mark.parametrize(("pattern", "stride", "summary"), [("strided", 4, 1), ("fixed", 4, 1), ("fixed", 3, 2)])
def test_two_layers_have_read_all_that_is_earlier_and_one_has_not(pattern, stride, summary):
    context = SequenceContext(torch.tensor([LENGTH]))
    first, second = (sparse(pattern, stride, summary, seed=seed) for seed in (1, 2))
    read = []
    for layers in ([first], [first, second]):
        reached_LL = torch.zeros(LENGTH, LENGTH, dtype=torch.bool)
        for t in range(LENGTH):
            x_BLD = mixed_BLD = events(1).requires_grad_()
            for layer in layers:
                mixed_BLD = layer(mixed_BLD, context)
            (gradient,) = torch.autograd.grad(mixed_BLD[0, t].sum(), x_BLD)
            reached_LL[t] = (gradient[0] != 0).any(dim=-1)
        read.append(reached_LL)
    assert torch.equal(read[0], torch.isfinite(pattern_bias(reads(pattern, stride, summary), LENGTH)).tril())
    assert not torch.equal(read[0], torch.ones_like(read[0]).tril())
    assert torch.equal(read[1], torch.ones_like(read[1]).tril())


def test_a_summary_longer_than_its_block_is_refused():
    with pytest.raises(ValidationError, match=r"summary \(5\) positions of a block of stride \(4\) cannot be read"):
        SparseConfig(pattern="fixed", stride=4, summary=5)


@pytest.mark.parametrize("pattern", ["strided", "fixed"])
def test_half_precision_is_close(pattern):
    mixer, x_BLD, context = sparse(pattern, 3, 1).float(), events().float(), SequenceContext(LENGTHS)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = mixer(x_BLD, context)
    torch.testing.assert_close(mixed.float(), mixer(x_BLD, context), atol=0.05, rtol=0)
