"""The union of depth configurations."""

from typing import Annotated

from pydantic import Field

from recsys.nn.depth.dense import DenseConfig
from recsys.nn.depth.reversible import ReversibleConfig
from recsys.nn.depth.stack import SharedConfig, StackConfig

DepthConfig = Annotated[StackConfig | SharedConfig | DenseConfig | ReversibleConfig, Field(discriminator="kind")]
