"""The union of mixer configurations; a new mixer is one class, one config with its `kind`, one entry here."""

from recsys.nn.mixers.attention import SoftmaxConfig

MixerConfig = SoftmaxConfig
