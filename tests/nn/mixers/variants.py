"""Every kind of mixer at sizes at which blocks, chunks and windows end within a row, and what is asked of each."""

from dataclasses import dataclass, replace
from typing import get_args

import torch

from recsys.nn.mixers import MixerConfig
from recsys.nn.mixers.adaptive_span import AdaptiveSpanConfig
from recsys.nn.mixers.attention import SoftmaxConfig
from recsys.nn.mixers.bucketed import BucketedConfig
from recsys.nn.mixers.causal_cnn import CausalCnnConfig
from recsys.nn.mixers.convolution import ConvolutionConfig
from recsys.nn.mixers.gaussian import GaussianConfig
from recsys.nn.mixers.gru import GruConfig
from recsys.nn.mixers.hstu import HstuConfig
from recsys.nn.mixers.lite import LiteConfig
from recsys.nn.mixers.local import LocalConfig
from recsys.nn.mixers.lsh import LshConfig
from recsys.nn.mixers.mixer import Mixer
from recsys.nn.mixers.mixer_config import MixerSection
from recsys.nn.mixers.rotary import RotaryConfig
from recsys.nn.mixers.shaw import ShawConfig
from recsys.nn.mixers.sparse import SparseConfig
from recsys.nn.mixers.synthesizer import SynthesizerConfig
from recsys.nn.mixers.time_gaps import TimeGapsConfig
from recsys.nn.mixers.transformer_xl import TransformerXlConfig
from recsys.nn.shape import SequenceShape
from tests.nn.mixers.contract import DIM, LENGTH, MAX_LENGTH

# two clicks at once, a clock that was set back, and gaps of seconds to decades
SECONDS = torch.tensor([0, 0, 1, 3, 3, 50, 49, 1000, 990, 10**5, 10**9, *(10**9 + 7**n for n in range(17))])
TIMES = 10**15 + 1_000_000 * SECONDS


@dataclass(frozen=True)
class Variant:
    """`knows_order` unless what it reads may stand in any order, where it reads all. `max_length` is what it is built
    for; that of LSH says how many buckets there are."""

    config: MixerSection
    knows_order: bool = True
    max_length: int = MAX_LENGTH
    has_times: bool = False

    @property
    def kind(self) -> str:
        return self.config.kind

    def build(self, *, seed: int = 0) -> Mixer:
        """In fp64, and what is zero at first is not."""
        torch.manual_seed(seed)
        mixer = self.config.build(SequenceShape(DIM, self.max_length)).double()
        for parameter in mixer.parameters():
            if (parameter == 0).all():
                torch.nn.init.normal_(parameter)
        return Told(mixer) if self.has_times else mixer


class Told(Mixer):
    """A mixer whose rows all happened at the same times."""

    def __init__(self, mixer: Mixer) -> None:
        super().__init__()
        self.mixer = mixer

    def forward(self, x_BLD, context):
        return self.mixer(x_BLD, told(context, x_BLD.shape[1] if context.packing is None else context.packing.width))

    def last(self, x_BLD, context):
        return self.mixer.last(x_BLD, told(context, x_BLD.shape[1]))


def told(context, length: int = LENGTH):
    return replace(context, times_BL=TIMES[:length].expand(len(context.lengths_B), -1))


VARIANTS = {
    "softmax": Variant(SoftmaxConfig(), knows_order=False),
    "softmax-one-head": Variant(SoftmaxConfig(num_heads=1), knows_order=False),
    "rotary": Variant(RotaryConfig()),
    "gaussian": Variant(GaussianConfig(width=3.0, offset=0.4)),
    "shaw": Variant(ShawConfig(max_distance=3)),
    "bucketed": Variant(BucketedConfig(num_buckets=4, max_distance=8)),
    "time_gaps": Variant(TimeGapsConfig(unit_seconds=1), has_times=True),
    "time_gaps-untold": Variant(TimeGapsConfig(unit_seconds=1), knows_order=False),
    "local": Variant(LocalConfig(window=4)),
    "local-itself": Variant(LocalConfig(window=1), knows_order=False),
    "local-all": Variant(LocalConfig(window=40), knows_order=False),
    "sparse-strided": Variant(SparseConfig(pattern="strided", stride=3)),
    "sparse-strided-4": Variant(SparseConfig(pattern="strided", stride=4)),
    "sparse-fixed": Variant(SparseConfig(pattern="fixed", stride=4, summary=1)),
    "sparse-fixed-2": Variant(SparseConfig(pattern="fixed", stride=3, summary=2)),
    "adaptive_span": Variant(AdaptiveSpanConfig(max_span=16, initial_span=4.6, ramp=2)),
    "adaptive_span-short": Variant(AdaptiveSpanConfig(max_span=16, initial_span=0.6, ramp=2)),
    "transformer_xl": Variant(TransformerXlConfig()),
    "lsh": Variant(LshConfig(chunk=3, rounds=3), max_length=LENGTH),
    "lsh-2": Variant(LshConfig(chunk=2, rounds=1), max_length=LENGTH),
    "lsh-one-bucket": Variant(LshConfig(chunk=LENGTH), max_length=LENGTH, knows_order=False),
    "synthesizer": Variant(SynthesizerConfig(scores="dense")),
    "synthesizer-random": Variant(SynthesizerConfig(scores="random")),
    "synthesizer-factorised": Variant(SynthesizerConfig(scores="factorised", rank=3)),
    "convolution": Variant(ConvolutionConfig(kernel="dynamic", kernel_size=4)),
    "convolution-wide": Variant(ConvolutionConfig(kernel="dynamic", kernel_size=LENGTH + 2)),
    "convolution-lightweight": Variant(ConvolutionConfig(kernel="lightweight", kernel_size=4)),
    "lite": Variant(LiteConfig(kernel_size=3)),
    "hstu": Variant(HstuConfig(max_distance=4)),
    "gru": Variant(GruConfig()),
    "gru-2": Variant(GruConfig(num_layers=2)),
    "causal_cnn": Variant(CausalCnnConfig(kernel_size=3)),
    "causal_cnn-dilated": Variant(CausalCnnConfig(kernel_size=3, dilation=2)),
    "causal_cnn-far": Variant(CausalCnnConfig(kernel_size=2, dilation=LENGTH + 1)),
}
KINDS = {config: config.model_fields["kind"].default for config in get_args(get_args(MixerConfig)[0])}


def first_of_each_kind() -> dict[str, Variant]:
    firsts: dict[str, Variant] = {}
    for variant in VARIANTS.values():
        firsts.setdefault(variant.kind, variant)
    return firsts
