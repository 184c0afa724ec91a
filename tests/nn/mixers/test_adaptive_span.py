"""Adaptive spans: the ramp written out, their limits, and what is computed and paid for them."""

import pytest
import torch
from pydantic import ValidationError

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.adaptive_span import AdaptiveSpanAttention, AdaptiveSpanConfig
from recsys.nn.mixers.attention import merge_heads, split_heads
from recsys.nn.shape import SequenceShape
from tests.nn.mixers.contract import DIM, LENGTH, LENGTHS, events, real
from tests.nn.mixers.dense import dense, readable_BLL

MAX_SPAN = 16
SPANS = [1.3, 4.6]
each_direction = pytest.mark.parametrize("causal", [True, False])


def adaptive(spans: list[float] = SPANS, ramp: int = 2, max_span: int = MAX_SPAN) -> AdaptiveSpanAttention:
    torch.manual_seed(0)
    config = AdaptiveSpanConfig(ramp=ramp, max_span=max_span, initial_span=1.0, penalty_weight=0.5)
    mixer = config.build(SequenceShape(DIM, LENGTH)).double()
    mixer.logit_H.data = (torch.tensor(spans, dtype=torch.float64) / max_span).logit()
    return mixer


def masked(mixer: AdaptiveSpanAttention, x_BLD: torch.Tensor, context: SequenceContext, spans, ramp) -> torch.Tensor:
    """The paper's formula: all exponentials of all pairs, each times its place on the ramp, over their sum."""
    q, k, v = (split_heads(part, 2) for part in mixer.to_qkv(x_BLD).chunk(3, dim=-1))
    distances_LL = (torch.arange(x_BLD.shape[1])[:, None] - torch.arange(x_BLD.shape[1])).abs().double()
    ramp_HLL = torch.stack([((ramp + z - distances_LL) / ramp).clamp(0, 1) for z in spans])
    weights = ramp_HLL * (q @ k.mT / q.shape[-1] ** 0.5).exp() * readable_BLL(context, x_BLD.shape[1])[:, None]
    mixed = mixer.to_out(merge_heads(weights / weights.sum(dim=-1, keepdim=True) @ v))
    return mixed * real(context.lengths_B, x_BLD.shape[1])[..., None]


@each_direction
@pytest.mark.parametrize(("spans", "ramp"), [(SPANS, 2), ([0.0, 0.5], 1), ([3.0, 0.0], 4), ([2.0, 15.0], 3)])
def test_what_is_truncated_is_what_the_formula_gives_no_weight(spans, ramp, causal):
    mixer, context = adaptive(spans, ramp), SequenceContext(LENGTHS, causal=causal)
    expected = masked(mixer, events(), context, spans, ramp)
    torch.testing.assert_close(mixer(events(), context), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize(("spans", "ramp", "reach"), [(SPANS, 2, 6), ([0.0, 0.0], 1, 0), ([3.5, 1.0], 4, 7)])
def test_it_computes_no_more_than_its_widest_head_reads(spans, ramp, reach):
    mixer = adaptive(spans, ramp)
    assert mixer.reach == reach
    x_BLD = events(1).requires_grad_()
    (gradient,) = torch.autograd.grad(mixer(x_BLD, SequenceContext(torch.tensor([LENGTH])))[0, -1].sum(), x_BLD)
    read = (gradient[0] != 0).any(dim=-1).nonzero()[:, 0].tolist()
    assert read == [*range(LENGTH - 1 - reach, LENGTH)]


@each_direction
@pytest.mark.parametrize("span", [LENGTH, MAX_SPAN])
def test_a_span_as_long_as_the_row_is_softmax_attention(span, causal):
    mixer, context = adaptive([span, span]), SequenceContext(LENGTHS, causal=causal)
    torch.testing.assert_close(mixer(events(), context), dense(mixer, events(), context))


@each_direction
def test_without_a_span_each_position_reads_itself(causal):
    mixer, x_BLD = adaptive([0.0, 0.0], ramp=1), events()
    context = SequenceContext(torch.full((len(LENGTHS),), LENGTH), causal=causal)
    torch.testing.assert_close(mixer(x_BLD, context), mixer.to_out(mixer.to_qkv(x_BLD)[..., 2 * DIM :]))


def test_the_penalty_is_that_of_the_spans_and_shortens_them():
    mixer = adaptive()
    torch.testing.assert_close(mixer.spans(), torch.tensor(SPANS, dtype=torch.float64))
    torch.testing.assert_close(mixer.penalty().item(), 0.5 * sum(SPANS))
    spans_H = mixer.spans()
    mixer.spans = lambda: spans_H
    assert (torch.autograd.grad(mixer.penalty(), spans_H)[0] > 0).all()
    del mixer.spans
    optimiser = torch.optim.SGD([mixer.logit_H], lr=0.1)
    mixer.penalty().backward()
    optimiser.step()
    assert (mixer.spans() < torch.tensor(SPANS)).all()


def test_spans_learn_from_what_they_reach():
    mixer = adaptive()
    mixer(events(), SequenceContext(LENGTHS)).square().sum().backward()
    assert (mixer.logit_H.grad != 0).all()


def test_a_ramp_that_ends_on_a_position_has_a_finite_gradient():
    mixer = adaptive([4.0, 4.0], max_span=8)
    assert mixer.spans().tolist() == [4.0, 4.0]
    mixer(events(), SequenceContext(LENGTHS)).square().sum().backward()
    assert torch.isfinite(mixer.logit_H.grad).all()


def test_every_head_begins_with_the_span_of_its_config():
    mixer = AdaptiveSpanConfig(num_heads=4, max_span=100, initial_span=30).build(SequenceShape(DIM, LENGTH))
    torch.testing.assert_close(mixer.spans(), torch.full((4,), 30.0))
    with pytest.raises(ValidationError, match=r"initial_span \(30.0\) must be less than max_span \(30\)"):
        AdaptiveSpanConfig(max_span=30, initial_span=30)


def test_half_precision_is_close():
    mixer, x_BLD, context = adaptive().float(), events().float(), SequenceContext(LENGTHS)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = mixer(x_BLD, context)
    torch.testing.assert_close(mixed.float(), mixer(x_BLD, context), atol=0.05, rtol=0)
