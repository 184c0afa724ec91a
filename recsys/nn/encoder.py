"""A stack of blocks over embedded events: [B, L, D] -> [B, L, D]. Knows tensors, not items."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator
from torch import Tensor, nn

from recsys.nn.block import Block
from recsys.nn.context import SequenceContext
from recsys.nn.feedforward import FeedForwardConfig
from recsys.nn.mixers import MixerConfig
from recsys.nn.mixers.rotary import RotaryConfig
from recsys.nn.norm import NormKind, build_norm
from recsys.nn.residual import RESIDUALS, Residual, ResidualKind
from recsys.section import Section


class EncoderConfig(Section):
    dim: PositiveInt = 64
    """Width of the model, and of user and item vectors."""
    num_blocks: NonNegativeInt = 2
    residual: ResidualKind = "pre_norm"
    """How each branch of a block joins what it read: `pre_norm`, `gated` or `post_norm`."""
    mixer: MixerConfig = RotaryConfig()
    feedforward: FeedForwardConfig = FeedForwardConfig()
    norm: NormKind = "layer"
    dropout: float = Field(default=0.2, ge=0.0, lt=1.0)
    """Share of activations zeroed on the embedded event and on each residual branch while training."""

    @model_validator(mode="before")
    @classmethod
    def _default_mixer(cls, values: Any) -> Any:
        """Rotary attention where the mixer's kind is not named."""
        if not isinstance(values, Mapping) or not isinstance(values.get("mixer"), Mapping):
            return values
        return {**values, "mixer": {"kind": "rotary", **values["mixer"]}}

    @model_validator(mode="after")
    def heads_share_the_width(self) -> Self:
        self.mixer.require_fit(self.dim)
        return self

    def build_block(self) -> Block:
        mixing, transforming = self._build_residual(), self._build_residual()
        return Block(
            self.mixer.build(self.dim), self.feedforward.build(self.dim), mixing=mixing, transforming=transforming
        )

    def build_last_norm(self) -> nn.Module:
        """What comes after the blocks: nothing where each of them ends in a norm."""
        return nn.Identity() if self.residual == "post_norm" else build_norm(self.norm, self.dim)

    def _build_residual(self) -> Residual:
        return RESIDUALS[self.residual](build_norm(self.norm, self.dim), self.dim, self.dropout)


class Encoder(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(config.build_block() for _ in range(config.num_blocks))
        self.norm = config.build_last_norm()

    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        for block in self.blocks:
            x_BLD = block(x_BLD, context)
        return self.norm(x_BLD)

    @property
    def has_one_block(self) -> bool:
        return len(self.blocks) == 1

    def beyond(self, x_BLD: Tensor, context: SequenceContext, targets_BND: Tensor) -> Tensor:
        """[B, N, D]: `last` of each row with one of N targets behind it, of an encoder of one block."""
        (block,) = self.blocks
        assert isinstance(block, Block)
        return self.norm(block.beyond(x_BLD, context, targets_BND))

    def last(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """[B, D]: `forward` at each row's last click; the last block computes no other."""
        if not self.blocks:
            return self.norm(context.last(x_BLD))
        for block in self.blocks[:-1]:
            x_BLD = block(x_BLD, context)
        final = self.blocks[-1]
        assert isinstance(final, Block)
        return self.norm(final.last(x_BLD, context))
