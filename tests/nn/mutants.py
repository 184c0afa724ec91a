"""Mistakes that attention is known for, made on purpose: one line of one function, exchanged while a test runs."""

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.attention import SoftmaxAttention
from recsys.nn.mixers.biased import BiasedAttention, Pairs
from recsys.nn.mixers.bucketed import DistanceBuckets
from recsys.nn.mixers.causal_cnn import CausalCnn
from recsys.nn.mixers.convolution import Convolution
from recsys.nn.mixers.hstu import Hstu
from recsys.nn.mixers.lsh import LshAttention
from recsys.nn.mixers.rotary import Rotary
from recsys.nn.mixers.shaw import RelativeKeys
from recsys.nn.mixers.sparse import SparseAttention
from recsys.nn.mixers.synthesizer import Synthesizer
from recsys.nn.mixers.transformer_xl import TransformerXl
from recsys.nn.mixers.windows import Windows


@dataclass(frozen=True)
class Edit:
    """Of the one place in a function where `old` stands."""

    function: Callable
    old: str
    new: str

    def make(self, patch: pytest.MonkeyPatch) -> None:
        source = textwrap.dedent(inspect.getsource(self.function))
        assert source.count(self.old) == 1, f"{self.function.__qualname__} reads otherwise now"
        source = source[source.index("def ") :].replace(self.old, self.new)
        made: dict = {}
        exec(compile(source, "a mutant", "exec"), self.function.__globals__, made)
        patch.setattr(self.function, "__code__", made[self.function.__name__].__code__)


@dataclass(frozen=True)
class Attention:
    """Another function in the place of the fused one."""

    function: Callable

    def make(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(F, "scaled_dot_product_attention", self.function)


def over_queries(q, k, v, attn_mask=None, is_causal=False):
    bias = bias_of(q @ k.mT, attn_mask, is_causal)
    return (q @ k.mT * q.shape[-1] ** -0.5 + bias).softmax(dim=-2).nan_to_num() @ v


def masked_late(q, k, v, attn_mask=None, is_causal=False):
    """What is hidden has no part in the sum of values, and one in the sum of weights."""
    bias = bias_of(q @ k.mT, attn_mask, is_causal)
    weights = (q @ k.mT * q.shape[-1] ** -0.5 + bias.nan_to_num(neginf=0.0)).softmax(dim=-1)
    return weights.masked_fill(bias == float("-inf"), 0.0) @ v


def bias_of(scores, attn_mask, is_causal):
    if is_causal:
        attn_mask = torch.ones_like(scores, dtype=torch.bool).tril()
    if attn_mask.is_floating_point():
        return attn_mask.expand_as(scores)
    return torch.zeros_like(scores).masked_fill(~attn_mask, float("-inf"))


FUSED = ("softmax", "rotary", "lite")
BIASED = ("gaussian", "shaw", "bucketed", "time_gaps")
SPARSE = ("sparse-strided", "sparse-fixed")
WINDOWS = ("local", "adaptive_span", *SPARSE)
BY_CONTEXT = ("transformer_xl", "hstu")
MADE_UP = ("synthesizer", "synthesizer-random", "synthesizer-factorised")
CONVOLUTIONS = ("convolution", "convolution-lightweight")
PLAIN = (*CONVOLUTIONS, "gru", "causal_cnn")
FLASH = (*FUSED, *BIASED, "local", "adaptive_span", "transformer_xl")
EARLIER, ALL = SoftmaxAttention.forward, SequenceContext.readable_BLL
MEANT = "valid_BL = self.valid_BL(length)"
NEAR = Windows.readable_NWS, "self.neighbours(valid_BL[..., None])"
FAR = 'scores.masked_fill(~torch.cat(readable, dim=-1)[:, :, None], float("-inf")).softmax(dim=-1)'
FAR_LATE = "scores.softmax(dim=-1).masked_fill(~torch.cat(readable, dim=-1)[:, :, None], 0.0)"
MADE = '.masked_fill(~self._readable(context, length), float("-inf")).softmax(dim=-1)'
MADE_LATE = ".softmax(dim=-1).masked_fill(~self._readable(context, length), 0.0)"
TOTAL = "scores.logsumexp(dim=-1, keepdim=True)"
TOTAL_OF_ALL = "scores.logsumexp(dim=(-2, -1), keepdim=True).expand(*scores.shape[:-1], 1)"

Table = dict[str, Edit | Attention]


def of(names: tuple[str, ...], edit: Edit | Attention) -> Table:
    return dict.fromkeys(names, edit)


NO_MASK = {
    **of(FUSED, Edit(EARLIER, "is_causal=True", "is_causal=False")),
    **of(BIASED, Edit(BiasedAttention.mixed, ">= 0 if", ">= -length if")),
    **of(WINDOWS, Edit(Windows.readable_NWS, "& (distances_WS >= 0) if", "if")),
    **of(BY_CONTEXT, Edit(ALL, "readable_BLL.tril()", "readable_BLL")),
    "lsh": Edit(LshAttention._meet, "(0 if causal else", "(-self.chunk if causal else"),
    **of(MADE_UP, Edit(Synthesizer._readable, "columns_L[:, None]", "columns_L[:, None] + length")),
    **of(CONVOLUTIONS, Edit(Convolution.mixed, "0 if context.causal else", "")),
    "causal_cnn": Edit(CausalCnn.mixed, "(self.reach, 0)", "(self.reach // 2, self.reach - self.reach // 2)"),
}
OFF_BY_ONE = {
    **of(FUSED, Edit(EARLIER, "is_causal=True", "attn_mask=torch.ones_like(q @ k.mT, dtype=torch.bool).tril(1)")),
    **of(BIASED, Edit(BiasedAttention.mixed, ">= 0 if", ">= -1 if")),
    **of(WINDOWS, Edit(Windows.readable_NWS, ">= 0) if", ">= -1) if")),
    **of(BY_CONTEXT, Edit(ALL, ".tril()", ".tril(1)")),
    "lsh": Edit(LshAttention._meet, "(0 if causal else", "(-1 if causal else"),
    **of(MADE_UP, Edit(Synthesizer._readable, "columns_L[:, None]", "columns_L[:, None] + 1")),
    **of(CONVOLUTIONS, Edit(Convolution.mixed, "0 if context.causal else", "1 if context.causal else")),
    "causal_cnn": Edit(CausalCnn.mixed, "(self.reach, 0)", "(self.reach - 1, 1)"),
}
INVERTED = {
    **of((*FUSED, *BIASED, *BY_CONTEXT, *MADE_UP), Edit(ALL, MEANT, "valid_BL = ~self.valid_BL(length)")),
    **of(WINDOWS, Edit(*NEAR, "self.neighbours(~valid_BL[..., None])")),
    "lsh": Edit(LshAttention.mixed, "= ~context.valid_BL", "= context.valid_BL"),
    **of(CONVOLUTIONS, Edit(Convolution.mixed, "* valid_BL1", "* ~valid_BL1")),
}
OVER_QUERIES = {
    **of(FLASH, Attention(over_queries)),
    **of(SPARSE, Edit(SparseAttention.mixed, ".softmax(dim=-1)", ".softmax(dim=-2).nan_to_num()")),
    "lsh": Edit(
        LshAttention._round, TOTAL, "scores.logsumexp(dim=(-2, -1), keepdim=True).expand(*scores.shape[:-1], 1)"
    ),
    **of(MADE_UP, Edit(Synthesizer.weights, "softmax(dim=-1)", "softmax(dim=-2)")),
}
UNSCALED = {
    **of(FLASH, Attention(partial(F.scaled_dot_product_attention, scale=1.0))),
    **of(SPARSE, Edit(SparseAttention.mixed, " * q.shape[-1] ** -0.5", "")),
    "lsh": Edit(LshAttention._round, " * q.shape[-1] ** -0.5", ""),
    "hstu": Edit(Hstu.mixed, " * q_BHLK.shape[-1] ** -0.5", ""),
}
IN_DENOMINATOR = {
    **of(FLASH, Attention(masked_late)),
    **of(SPARSE, Edit(SparseAttention.mixed, FAR, FAR_LATE)),
    "lsh": Edit(LshAttention._round, TOTAL, "scores.nan_to_num(neginf=0.0).logsumexp(dim=-1, keepdim=True)"),
    **of(MADE_UP, Edit(Synthesizer.weights, MADE, MADE_LATE)),
}
SIGN_FLIPPED = {
    "rotary": Edit(Rotary.forward, "= places[", "= -places["),
    "shaw": Edit(RelativeKeys.forward, "pairs.distances_BLS.clamp", "(-pairs.distances_BLS).clamp"),
    "bucketed": Edit(DistanceBuckets.forward, "(pairs.distances_BLS)", "(-pairs.distances_BLS)"),
    "time_gaps": Edit(Pairs.apart_BLS.fget, ".abs()", ".neg()"),
    "transformer_xl": Edit(TransformerXl.mixed, "self._r_HRK(distances_R)", "self._r_HRK(-distances_R)"),
    "hstu": Edit(Hstu.bias_HLL, "torch.arange(", "-torch.arange("),
}
READ_AS_ITEM = {
    **of((*FUSED, *BIASED, *BY_CONTEXT, *MADE_UP), Edit(ALL, MEANT, f"{MEANT} | True")),
    **of(WINDOWS, Edit(*NEAR, "self.neighbours(torch.ones_like(valid_BL)[..., None])")),
    "lsh": Edit(LshAttention.mixed, "~context.valid_BL(x_BLD.shape[1])[:, None]", "torch.tensor(False)"),
    **of(CONVOLUTIONS, Edit(Convolution.mixed, " * valid_BL1", "")),
}
MUTANTS: dict[str, Table] = {
    "no mask": NO_MASK,
    "mask off by one": OFF_BY_ONE,
    "inverted pad mask": INVERTED,
    "softmax over queries": OVER_QUERIES,
    "no 1/sqrt(d)": UNSCALED,
    "pads in the denominator": IN_DENOMINATOR,
    "time delta sign flipped": SIGN_FLIPPED,
    "padding read as an item": READ_AS_ITEM,
}

RECURRENT = "a recurrence reads nothing that comes later, and has no mask to forget"
NO_PADS = "nothing that stands behind a row is ever read, so there is no mask of padding"
NO_SOFTMAX = "it has no softmax over positions"
NO_SCORES = "no query meets a key"
NO_SIGN = "it asks how far apart, not which came first"
NO_DISTANCE = "it knows no distances"
DOES_NOT_APPLY: dict[str, dict[str, str]] = {
    "no mask": {"gru": RECURRENT},
    "mask off by one": {"gru": RECURRENT},
    "inverted pad mask": dict.fromkeys(("gru", "causal_cnn"), NO_PADS),
    "softmax over queries": dict.fromkeys(("hstu", *PLAIN), NO_SOFTMAX),
    "no 1/sqrt(d)": dict.fromkeys((*MADE_UP, *PLAIN), NO_SCORES),
    "pads in the denominator": dict.fromkeys(("hstu", *PLAIN), NO_SOFTMAX),
    "time delta sign flipped": {
        **dict.fromkeys(("gaussian", *WINDOWS), NO_SIGN),
        **dict.fromkeys(("softmax", "lsh", "lite", *MADE_UP, *PLAIN), NO_DISTANCE),
    },
    "padding read as an item": dict.fromkeys(("gru", "causal_cnn"), NO_PADS),
}
