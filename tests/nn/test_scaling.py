"""C12: work and memory of a training step grow with a row's length as each mixer's configuration declares."""

from contextlib import nullcontext
from math import log

import pytest
import torch
import torch.nn.functional as F
from torch._subclasses.fake_tensor import FakeTensorMode

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.adaptive_span import AdaptiveSpanConfig
from recsys.nn.mixers.attention import SoftmaxConfig
from recsys.nn.mixers.convolution import ConvolutionConfig
from recsys.nn.mixers.local import LocalConfig
from recsys.nn.mixers.lsh import LshConfig
from recsys.nn.mixers.mixer_config import MixerSection
from recsys.nn.mixers.sparse import SparseConfig
from recsys.nn.shape import SequenceShape
from tests.nn.counting import Held, Work
from tests.nn.mixers.variants import KINDS

DIM = 16
LENGTHS = (256, 1024, 4096)
# one position after the other, a dozen calls each
SHORTER = {"gru": (64, 128, 256)}
# the host looks at how far spans reach; and many small tensors are computed sooner than imagined
COMPUTED = ("adaptive_span", "gru")
BOTH_WAYS = ("local", "sparse", "adaptive_span", "lsh", "convolution")
CASES = [(kind, True) for kind in KINDS.values()] + [(kind, False) for kind in BOTH_WAYS]
CONFIGS = {kind: config for config, kind in KINDS.items()}


def config_for(kind: str, length: int) -> MixerSection:
    return SparseConfig(stride=round(length**0.5)) if kind == "sparse" else CONFIGS[kind]()


def step(config: MixerSection, length: int, *, causal: bool = True) -> tuple[int, int]:
    """FLOP, and bytes held beyond the inputs, of a step over one row, most of which are imagined."""
    mixer = config.build(SequenceShape(DIM, length))
    with nullcontext() if config.kind in COMPUTED else FakeTensorMode(allow_non_fake_inputs=True):
        times = torch.arange(length)[None] if config.reads_times else None
        x_BLD, context = torch.randn(1, length, DIM), SequenceContext(torch.tensor([length]), times, causal=causal)
        with Work() as work, Held() as held:
            mixer(x_BLD.requires_grad_(), context).sum().backward()
    return work.total, held.peak


def slope(lengths: tuple[int, ...], values: list[int]) -> float:
    """Of the line that fits the logarithms best."""
    across, up = [log(length) for length in lengths], [log(value) for value in values]
    mean_across, mean_up = sum(across) / len(across), sum(up) / len(up)
    off = [a - mean_across for a in across]
    return sum(a * (u - mean_up) for a, u in zip(off, up, strict=True)) / sum(a * a for a in off)


@pytest.mark.parametrize(("kind", "causal"), CASES)
def test_a_step_grows_as_declared(kind, causal):
    lengths = SHORTER.get(kind, LENGTHS)
    works, bytes_held = zip(*(step(config_for(kind, length), length, causal=causal) for length in lengths), strict=True)
    config = CONFIGS[kind]
    for declared, values in ((config.flop_order, works), (config.memory_order, bytes_held)):
        assert declared - 0.2 <= slope(lengths, values) <= declared + 0.15


def test_what_is_counted_is_what_is_done_and_held():
    x, weight = torch.ones(5, 6, requires_grad=True), torch.ones(6, 7)
    with Work() as work, Held() as held:
        y = x @ weight
        doubled = 2 * y.T
        del doubled
        (y * y).sum()
    assert work.total == 2 * 5 * 6 * 7 + 35 + 35 + 1
    assert held.peak == 4 * (35 + 35 + 1)


def unfused(q, k, v, **_):
    scores = q @ k.mT * q.shape[-1] ** -0.5
    return scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), float("-inf")).softmax(dim=-1) @ v


CHEAPER = [LshConfig(), LocalConfig(), SparseConfig(stride=64), ConvolutionConfig(), AdaptiveSpanConfig()]


@pytest.mark.parametrize("config", CHEAPER, ids=lambda config: config.kind)
def test_at_4000_clicks_it_holds_less_than_attention_that_keeps_its_scores(config, monkeypatch):
    held = step(config, 4_000)[1]
    monkeypatch.setattr(F, "scaled_dot_product_attention", unfused)
    full = step(SoftmaxConfig(), 4_000)[1]
    assert held < full > 4 * SoftmaxConfig().num_heads * 4_000**2
