"""The union of mixer configurations; a new mixer is one class, one config with its `kind`, one entry here."""

from typing import Annotated

from pydantic import Field

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
from recsys.nn.mixers.rotary import RotaryConfig
from recsys.nn.mixers.shaw import ShawConfig
from recsys.nn.mixers.sparse import SparseConfig
from recsys.nn.mixers.synthesizer import SynthesizerConfig
from recsys.nn.mixers.time_gaps import TimeGapsConfig
from recsys.nn.mixers.transformer_xl import TransformerXlConfig

MixerConfig = Annotated[
    SoftmaxConfig
    | RotaryConfig
    | GaussianConfig
    | ShawConfig
    | BucketedConfig
    | TimeGapsConfig
    | LocalConfig
    | SparseConfig
    | AdaptiveSpanConfig
    | TransformerXlConfig
    | LshConfig
    | SynthesizerConfig
    | ConvolutionConfig
    | LiteConfig
    | HstuConfig
    | GruConfig
    | CausalCnnConfig,
    Field(discriminator="kind"),
]
