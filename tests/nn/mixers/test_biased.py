"""Attention with a bias: each bias written out pair by pair, and its limits."""

from dataclasses import replace
from itertools import pairwise
from math import exp, log

import pytest
import torch
from pydantic import ValidationError

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.biased import BiasedAttention, Pairs
from recsys.nn.mixers.bucketed import BucketedConfig, distance_buckets
from recsys.nn.mixers.gaussian import GaussianConfig
from recsys.nn.mixers.mixer import Mixer, with_target
from recsys.nn.mixers.shaw import ShawConfig
from recsys.nn.mixers.time_gaps import TimeGapsConfig
from recsys.nn.shape import SequenceShape
from recsys.nn.time_buckets import UNKNOWN
from tests.nn.counting import LargestTensor
from tests.nn.mixers.contract import DIM, LENGTH, LENGTHS, events
from tests.nn.mixers.dense import dense
from tests.nn.mixers.variants import SECONDS, TIMES, told

HEADS = 2
CONFIGS = {
    "gaussian": GaussianConfig(num_heads=HEADS, width=3.0, offset=0.4),
    "shaw": ShawConfig(num_heads=HEADS, max_distance=3),
    "bucketed": BucketedConfig(num_heads=HEADS, num_buckets=4, max_distance=8),
    "time_gaps": TimeGapsConfig(num_heads=HEADS, unit_seconds=1),
}
each_kind = pytest.mark.parametrize("kind", CONFIGS)
each_direction = pytest.mark.parametrize("causal", [True, False])


def biased(kind: str) -> BiasedAttention:
    torch.manual_seed(0)
    mixer = CONFIGS[kind].build(SequenceShape(DIM, LENGTH)).double()
    for parameter in mixer.bias.parameters():
        torch.nn.init.normal_(parameter, std=0.5) if kind == "gaussian" else torch.nn.init.normal_(parameter)
    return mixer


def bias_of_pair(kind: str, mixer: BiasedAttention, q_K: torch.Tensor, head: int, i: int, j: int) -> torch.Tensor:
    distance = i - j
    if kind == "gaussian":
        return -(mixer.bias.log_w_H[head].exp() * distance**2 - mixer.bias.log_minus_b_H[head].exp()).abs()
    if kind == "shaw":
        return q_K @ mixer.bias.table_RK[max(-3, min(3, distance)) + 3] / len(q_K) ** 0.5
    if kind == "bucketed":
        bucket = [0, 1, 2, 2, 3, 3, 3, 3, 3][min(abs(distance), 8)]
        return mixer.bias.table_GH[bucket + 4 * (distance < 0), head]
    seconds = abs(int(SECONDS[i]) - int(SECONDS[j]))
    return mixer.bias.table_GH[1 + seconds.bit_length(), head]


@each_kind
@each_direction
def test_it_is_the_formula_written_out(kind, causal):
    mixer, x_BLD = biased(kind), events()
    q_BLHK = mixer.to_qkv(x_BLD)[..., :DIM].unflatten(-1, (HEADS, -1))
    pairs = [
        (row, head, i, j) for row in range(4) for head in range(HEADS) for i in range(LENGTH) for j in range(LENGTH)
    ]
    bias = [bias_of_pair(kind, mixer, q_BLHK[row, i, head], head, i, j) for row, head, i, j in pairs]
    bias_BHLL = torch.stack(bias).view(4, HEADS, LENGTH, LENGTH)
    context = told(SequenceContext(LENGTHS, causal=causal))
    torch.testing.assert_close(mixer(x_BLD, context), dense(mixer, x_BLD, context, bias=bias_BHLL))


@each_kind
@each_direction
def test_without_a_bias_it_is_softmax_attention(kind, causal):
    mixer, context = biased(kind), told(SequenceContext(LENGTHS, causal=causal))
    assert not torch.allclose(mixer(events(), context), dense(mixer, events(), context))
    for parameter in mixer.bias.parameters():
        torch.nn.init.constant_(parameter, float("-inf") if kind == "gaussian" else 0.0)
    torch.testing.assert_close(mixer(events(), context), dense(mixer, events(), context))


@pytest.mark.parametrize("kind", ["shaw", "bucketed", "time_gaps"])
def test_it_begins_as_softmax_attention(kind):
    mixer, context = CONFIGS[kind].build(SequenceShape(DIM, LENGTH)).double(), told(SequenceContext(LENGTHS))
    torch.testing.assert_close(mixer(events(), context), dense(mixer, events(), context))
    mixer(events(), context).square().sum().backward()
    assert any((parameter.grad != 0).any() for parameter in mixer.bias.parameters())


def test_what_comes_behind_a_row_reads_the_times_of_it():
    mixer, x_BLD = biased("time_gaps"), events()
    targets_BND = torch.randn(len(LENGTHS), 3, DIM, dtype=torch.float64)
    longer, longer_context = with_target(x_BLD, LENGTHS, targets_BND)
    times_BL = TIMES[:LENGTH].expand(4, -1)
    context = SequenceContext(LENGTHS, times_BL, times_BL + 5_000_000, causal=False)
    asked_B1 = context.last(context.asked_BL)[:, None]
    longer_times = torch.nn.functional.pad(times_BL, (0, 1)).scatter(1, LENGTHS[:, None], asked_B1)
    longer_context = replace(longer_context, times_BL=longer_times.repeat_interleave(3, dim=0))
    expected = Mixer.last(mixer, longer, longer_context).view_as(targets_BND)
    torch.testing.assert_close(mixer.beyond(x_BLD, context, targets_BND), expected)


def test_a_gaussian_knows_no_direction():
    context = SequenceContext(torch.full((len(LENGTHS),), LENGTH), causal=False)
    mirrored = {kind: biased(kind)(events().flip(1), context).flip(1) for kind in CONFIGS}
    torch.testing.assert_close(mirrored["gaussian"], biased("gaussian")(events(), context))
    for kind in ("shaw", "bucketed"):
        assert not torch.allclose(mirrored[kind], biased(kind)(events(), context))


@each_direction
def test_a_gaussian_without_width_reads_nothing_but_itself(causal):
    mixer, x_BLD = biased("gaussian"), events()
    torch.nn.init.constant_(mixer.bias.log_w_H, log(1e9))
    context = SequenceContext(torch.full((len(LENGTHS),), LENGTH), causal=causal)
    torch.testing.assert_close(mixer(x_BLD, context), mixer.to_out(mixer.to_qkv(x_BLD)[..., 2 * DIM :]))


def test_a_gaussian_begins_as_its_config_says():
    bias = CONFIGS["gaussian"].build(SequenceShape(DIM, LENGTH)).bias
    assert [round(exp(parameter), 5) for parameter in bias.log_w_H.tolist()] == [round(1 / 9, 5)] * HEADS
    assert [round(exp(parameter), 5) for parameter in bias.log_minus_b_H.tolist()] == [0.4] * HEADS


def test_no_vector_is_made_for_a_pair():
    """In the width of a head all scores fit into the largest tensor, and nothing larger is made."""
    length, mixer = 64, ShawConfig(num_heads=1, max_distance=8).build(SequenceShape(DIM, 64)).double()
    x_BLD = events(1, length).requires_grad_()
    with LargestTensor() as largest:
        mixer(x_BLD, SequenceContext(torch.tensor([length]))).sum().backward()
    assert largest.numel == length**2


def test_buckets_are_those_of_t5():
    buckets = distance_buckets(32, 128)
    assert len(buckets) == 129
    assert buckets[:17] == [*range(17)]
    assert [buckets[distance] for distance in (19, 20, 32, 64, 91, 127, 128)] == [17, 17, 21, 26, 29, 31, 31]
    assert all(0 <= after - before <= 1 for before, after in pairwise(buckets))
    assert distance_buckets(8, 64)[4::4] == [4, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7]


def test_buckets_for_more_distances_than_there_are_are_refused():
    with pytest.raises(ValidationError, match=r"max_distance \(16\) must be more than half of num_buckets \(32\)"):
        BucketedConfig(num_buckets=32, max_distance=16)


@each_direction
def test_without_times_it_is_softmax_attention_and_so_are_rows_that_are_untold(causal):
    mixer, context = biased("time_gaps"), SequenceContext(LENGTHS, causal=causal)
    plain, with_times = dense(mixer, events(), context), mixer(events(), told(context))
    torch.testing.assert_close(mixer(events(), context), plain)
    some = replace(told(context), untold_B1=torch.tensor([[False], [True], [False], [True]]))
    for row, expected in enumerate([with_times, plain, with_times, plain]):
        torch.testing.assert_close(mixer(events(), some)[row], expected[row])
    torch.testing.assert_close(mixer.last(events(), some), Mixer.last(mixer, events(), some))
    bias_BHLL = mixer.bias(torch.empty(0), Pairs.of_all(some, LENGTH))
    assert torch.equal(bias_BHLL[1::2], mixer.bias.table_GH[UNKNOWN][:, None, None].expand_as(bias_BHLL[1::2]))


def test_only_the_time_between_two_clicks_counts():
    mixer, context = biased("time_gaps"), told(SequenceContext(LENGTHS))
    later = replace(context, times_BL=context.times_BL + 10**12)
    assert torch.equal(mixer(events(), later), mixer(events(), context))


@each_direction
def test_a_clock_that_was_set_back_reads_no_bucket_from_the_end(causal):
    mixer, context = biased("time_gaps"), SequenceContext(LENGTHS, causal=causal)
    falling = replace(context, times_BL=TIMES[:9].flip(0).repeat(2)[:LENGTH].expand(4, -1))
    mixer.bias.table_GH.data[20:] = float("nan")
    assert torch.isfinite(mixer(events(), falling)).all()


@each_direction
def test_times_mean_nothing_at_padding(causal):
    mixer, context = biased("time_gaps"), told(SequenceContext(LENGTHS, causal=causal))
    noise = torch.tensor([-(2**63), 2**63 - 1, 0, -1]).repeat(3)[:LENGTH].expand(4, -1)
    noisy = replace(context, times_BL=context.times_BL.where(context.valid_BL(LENGTH), noise))
    assert torch.equal(mixer(events(), noisy), mixer(events(), context))


@each_kind
def test_half_precision_is_close(kind):
    mixer, x_BLD, context = biased(kind).float(), events().float(), told(SequenceContext(LENGTHS))
    with torch.autocast("cpu", torch.bfloat16):
        mixed, last = mixer(x_BLD, context), mixer.last(x_BLD, context)
        beyond = mixer.beyond(x_BLD, context, x_BLD[:, :2])
    torch.testing.assert_close(mixed.float(), mixer(x_BLD, context), atol=0.05, rtol=0)
    torch.testing.assert_close(last.float(), mixer.last(x_BLD, context), atol=0.05, rtol=0)
    torch.testing.assert_close(beyond.float(), mixer.beyond(x_BLD, context, x_BLD[:, :2]), atol=0.05, rtol=0)
