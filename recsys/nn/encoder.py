"""Blocks over embedded events: [B, L, D] -> [B, L, D]. Knows tensors, not items."""

from collections.abc import Mapping, Sequence
from typing import Any, Self, cast

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator
from torch import Tensor, nn

from recsys.nn.block import Block, MixingBlock, TransformerBlock
from recsys.nn.context import SequenceContext
from recsys.nn.depth.depth import Layer, thinned
from recsys.nn.depth.depth_config import DepthConfig
from recsys.nn.depth.stack import StackConfig
from recsys.nn.feedforward import FeedForwardConfig
from recsys.nn.mixers import MixerConfig
from recsys.nn.mixers.rotary import RotaryConfig
from recsys.nn.norm import NormKind, build_norm
from recsys.nn.residual import RESIDUALS, Residual, ResidualKind
from recsys.nn.shape import SequenceShape
from recsys.section import Section


class EncoderConfig(Section):
    dim: PositiveInt = 64
    """Width of the model, and of user and item vectors."""
    num_blocks: NonNegativeInt = 2
    residual: ResidualKind = "pre_norm"
    """How each branch of a block joins what it read: `pre_norm`, `gated`, `post_norm` or `rezero`."""
    mixer: MixerConfig = RotaryConfig()
    feedforward: FeedForwardConfig = FeedForwardConfig()
    norm: NormKind = "layer"
    dropout: float = Field(default=0.2, ge=0.0, lt=1.0)
    """Share of activations zeroed on the embedded event and on each residual branch while training."""
    depth: DepthConfig = StackConfig()
    """How the stream goes through the blocks: a `stack` of them, one `shared` by all layers, `dense` layers that read
    all before them, or `reversible` ones whose activations training does not keep."""
    layer_drop: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of layers left out of a training step, drawn anew for each batch; no weight of such a block gets a gradient
    then."""

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

    @model_validator(mode="after")
    def _halves_meet(self) -> Self:
        if self.mixer.has_halves and self.feedforward.kind == "none":
            raise ValueError(
                f"a {self.mixer.kind} mixer leaves the feed-forward to bring its two halves together, and "
                "feedforward.kind is none: choose another kind of one of the two"
            )
        return self

    @model_validator(mode="after")
    def layers_join_as_the_depth_wants(self) -> Self:
        self.depth.require_fit(self.residual)
        return self

    def build_block(self, max_length: int) -> Block:
        mixing, transforming = self._build_residual(), self._build_residual()
        mixer = self.mixer.build(SequenceShape(self.dim, max_length))
        feedforward = self.feedforward.build(self.dim)
        if feedforward is None:
            return MixingBlock(mixer, mixing=mixing)
        return TransformerBlock(mixer, feedforward, mixing=mixing, transforming=transforming)

    def build_last_norm(self) -> nn.Module:
        """What comes after the blocks: nothing where each of them ends in a norm, or needs none."""
        leaves_a_raw_sum = RESIDUALS[self.residual].leaves_a_raw_sum
        return build_norm(self.norm, self.dim) if leaves_a_raw_sum else nn.Identity()

    def _build_residual(self) -> Residual:
        return RESIDUALS[self.residual](build_norm(self.norm, self.dim), self.dim, self.dropout)


class Encoder(nn.Module):
    """`max_length` is the most positions a row may have."""

    def __init__(self, config: EncoderConfig, *, max_length: int) -> None:
        super().__init__()
        num_built = config.depth.num_built(config.num_blocks)
        self.blocks = nn.ModuleList(config.build_block(max_length) for _ in range(num_built))
        self.norm = config.build_last_norm()
        self.depth = config.depth.build(config.num_blocks, config.dim, config.norm)
        self.num_layers = config.num_blocks
        self.layer_drop = config.layer_drop

    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        return self.norm(self.depth(self._layers(), x_BLD, context))

    def penalties(self) -> list[Tensor]:
        """What its mixers add to the mean loss."""
        own = (cast(Block, block).mixer.penalty() for block in self.blocks)
        return [penalty for penalty in own if penalty is not None]

    def measures(self) -> dict[str, float]:
        """What its mixers have learned that a number tells."""
        return {
            f"block_{number}.{name}": value
            for number, block in enumerate(self.blocks)
            for name, value in cast(Block, block).mixer.measures().items()
        }

    @property
    def has_one_block(self) -> bool:
        return self.num_layers == 1

    def beyond(self, x_BLD: Tensor, context: SequenceContext, targets_BND: Tensor) -> Tensor:
        """[B, N, D]: `last` of each row with one of N targets behind it, without causality. A stack of one block reads
        a row once for all its targets."""
        return self.norm(self.depth.beyond(self._layers(), x_BLD, context, targets_BND))

    def last(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """[B, D]: `forward` at each row's last click; the last block of a stack computes no other."""
        return self.norm(self.depth.last(self._layers(), x_BLD, context))

    def _layers(self) -> Sequence[Layer]:
        layers = self.depth.layers(cast(Sequence[Block], self.blocks))
        return thinned(layers, self.layer_drop) if self.training and self.layer_drop else layers
