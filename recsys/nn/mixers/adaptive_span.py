"""Attention whose heads learn how far back they read (Sukhbaatar et al. 2019, https://arxiv.org/abs/1905.07799)."""

from math import ceil, log
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn

from recsys.nn.mixers.mixer_config import HeadsSection
from recsys.nn.mixers.windows import WindowAttention
from recsys.nn.shape import SequenceShape


class AdaptiveSpanAttention(WindowAttention):
    """A head of span z gives weights proportional to clip((R + z - d) / R, 0, 1) exp(score), R the ramp.

    z is `max_span` times a sigmoid, so that a span which has shrunk to nothing can grow again. Only what is less than
    z + R off is computed, with the largest z: the host asks the device for it at each call.
    """

    def __init__(self, dim: int, config: "AdaptiveSpanConfig") -> None:
        super().__init__(dim, config.num_heads)
        self.max_span, self.ramp, self.penalty_weight = config.max_span, config.ramp, config.penalty_weight
        logit = log(config.initial_span / (config.max_span - config.initial_span))
        self.logit_H = nn.Parameter(torch.full((config.num_heads,), logit))

    def spans(self) -> Tensor:
        """[H]: how far back each head reads with full weight."""
        return self.max_span * self.logit_H.sigmoid()

    def penalty(self) -> Tensor:
        """What is added to the loss, so that a head reads no farther than it pays."""
        return self.penalty_weight * self.spans().sum()

    def measures(self) -> dict[str, float]:
        """The penalty is told, for the loss that is told holds it."""
        spans = {f"span_of_head_{head}": span for head, span in enumerate(self.spans().tolist())}
        return spans | {"penalty": self.penalty().detach().item()}

    @property
    def reach(self) -> int:
        return ceil(float(self.spans().detach().max()) + self.ramp) - 1

    def mask(self, distances_WS: Tensor, readable_NWS: Tensor) -> Tensor:
        z_H11 = self.spans()[:, None, None]
        weights_HWS = ((self.ramp + z_H11 - distances_WS.abs()) / self.ramp).clamp(0.0, 1.0)
        # the logarithm's gradient at 0 would be infinite, though nothing is read there
        is_read_HWS = weights_HWS > 0
        bias_HWS = weights_HWS.where(is_read_HWS, 1.0).log()
        return bias_HWS.where(is_read_HWS & readable_NWS[:, None], float("-inf"))


class AdaptiveSpanConfig(HeadsSection):
    flop_order: ClassVar[float] = 1.0
    memory_order: ClassVar[float] = 1.0
    kind: Literal["adaptive_span"] = "adaptive_span"
    max_span: PositiveInt = 256
    """No head reads farther back with full weight."""
    initial_span: PositiveFloat = 32.0
    """Of every head, at first; less than `max_span`."""
    ramp: PositiveInt = 32
    """Over how many further positions the weights fall to nothing."""
    penalty_weight: float = Field(default=1e-4, ge=0.0, allow_inf_nan=False)
    """What a position of a head's span adds to the loss."""

    @model_validator(mode="after")
    def spans_can_grow(self) -> Self:
        if self.initial_span >= self.max_span:
            raise ValueError(
                f"initial_span ({self.initial_span}) must be less than max_span ({self.max_span}); change one of the "
                f"two"
            )
        return self

    def build(self, shape: SequenceShape) -> AdaptiveSpanAttention:
        return AdaptiveSpanAttention(shape.dim, self)
