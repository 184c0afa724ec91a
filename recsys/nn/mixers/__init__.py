"""The union of mixer configurations; a new mixer is one class, one config with its `kind`, one entry here."""

from typing import Annotated

from pydantic import Field

from recsys.nn.mixers.attention import SoftmaxConfig
from recsys.nn.mixers.rotary import RotaryConfig

MixerConfig = Annotated[SoftmaxConfig | RotaryConfig, Field(discriminator="kind")]
