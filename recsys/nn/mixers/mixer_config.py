"""The base of every mixer's configuration."""

from abc import ABC, abstractmethod
from typing import ClassVar

from pydantic import ConfigDict, PositiveInt

from recsys.nn.mixers.mixer import Mixer
from recsys.nn.shape import SequenceShape
from recsys.section import Section


class MixerSection(Section, ABC):
    """`causal_only` mixers read what is earlier, whatever they are asked: no click may stand behind the target."""

    model_config = ConfigDict(allow_inf_nan=False)
    causal_only: ClassVar[bool] = False
    knows_order: ClassVar[bool] = True
    """Whether a mixer that reads both sides knows where on them a click stands."""
    reads_times: ClassVar[bool] = False
    """Whether the mixer wants to know when clicks happened."""
    flop_order: ClassVar[float] = 2.0
    """With which power of a row's length the work of a training step grows, where rows are read causally."""
    memory_order: ClassVar[float] = 2.0
    """And what the step holds beyond its inputs. Of `sparse`, with a stride that grows as the root of the length; of
    `lsh`, up to some 10,000 positions, where hashing begins to show."""

    @property
    def has_halves(self) -> bool:
        """Whether what the mixer makes of some channels has to meet the others in a feed-forward."""
        return False

    @abstractmethod
    def build(self, shape: SequenceShape) -> Mixer:
        """A fresh mixer."""

    def require_fit(self, dim: int) -> None:
        """ValueError where the mixer cannot be so wide."""


class HeadsSection(MixerSection):
    num_heads: PositiveInt = 2
    """How many heads share the model's width."""

    def require_fit(self, dim: int) -> None:
        """ValueError where the heads cannot share `dim` evenly."""
        if dim % self.num_heads:
            raise ValueError(
                f"dim ({dim}) must be divisible by mixer.num_heads ({self.num_heads}); change one of the two"
            )
