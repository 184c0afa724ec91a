"""Which model of a user's interest a ranker has: `ranker.model.interest`."""

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from recsys.errors import ConfigError
from recsys.model.ranking.interest import BstInterest, DinInterest, Interest, MeanInterest, NoInterest
from recsys.model.ranking.positions import ByTimeConfig, NoPlacementConfig, PlacementConfig
from recsys.nn.encoder import EncoderConfig
from recsys.nn.feedforward import FeedForwardConfig
from recsys.nn.mixers import MixerConfig
from recsys.nn.mixers.attention import SoftmaxConfig
from recsys.nn.norm import NormKind
from recsys.nn.residual import ResidualKind
from recsys.nn.shape import SequenceShape
from recsys.section import Section


class BstConfig(Section):
    """Transformer blocks over history and target. Everything but the defaults departs from the paper."""

    kind: Literal["bst"] = "bst"
    positions: PlacementConfig = ByTimeConfig()
    num_blocks: NonNegativeInt = 1
    mixer: MixerConfig = SoftmaxConfig(num_heads=8)
    residual: ResidualKind = "post_norm"
    norm: NormKind = "layer"
    expansion: PositiveFloat = 4.0
    """Width of the feed-forward network as a multiple of an event's."""
    pooling: Literal["target", "mean"] = "target"

    @model_validator(mode="after")
    def _all_see_all(self) -> Self:
        if self.mixer.causal_only:
            raise ValueError(
                f"the target reads all of the history and is read by it, and a {self.mixer.kind} mixer reads what is "
                "earlier alone: choose another ranker.model.interest.mixer"
            )
        if self.mixer.reads_times:
            raise ValueError(
                f"a {self.mixer.kind} mixer reads times, which a ranker has in its positions of kind time alone: "
                "choose another ranker.model.interest.mixer"
            )
        return self

    def build(self, shape: SequenceShape, dropout: float) -> Interest:
        try:
            self.mixer.require_fit(shape.dim)
        except ValueError as error:
            raise ConfigError(
                f"ranker.model: an event is {shape.dim} numbers wide, one ranker.model.dim for its id, each feature "
                f"and its position, and ranker.model.interest.mixer cannot be so wide: {error}"
            ) from None
        encoder = EncoderConfig(
            dim=shape.dim,
            num_blocks=self.num_blocks,
            residual=self.residual,
            mixer=self.mixer,
            feedforward=FeedForwardConfig(kind="leaky_relu", expansion=self.expansion),
            norm=self.norm,
            dropout=dropout,
        )
        return BstInterest(encoder, max_length=shape.max_length, pools=self.pooling == "mean")


class Unplaced(Section):
    """To what is made of the history, its order means nothing."""

    @property
    def positions(self) -> PlacementConfig:
        return NoPlacementConfig()


class DinConfig(Unplaced):
    """A weight for each event of the history, from an activation unit that sees it beside the target."""

    kind: Literal["din"] = "din"
    hidden: tuple[PositiveInt, ...] = (64, 16)
    """Widths of the activation unit's layers."""

    def build(self, shape: SequenceShape, dropout: float) -> Interest:
        return DinInterest(shape.dim, self.hidden)


class MeanConfig(Unplaced):
    """The mean of the history."""

    kind: Literal["mean"] = "mean"

    def build(self, shape: SequenceShape, dropout: float) -> Interest:
        return MeanInterest(shape.dim)


class NoInterestConfig(Unplaced):
    """The history is not read."""

    kind: Literal["none"] = "none"

    def build(self, shape: SequenceShape, dropout: float) -> Interest:
        return NoInterest()


InterestConfig = Annotated[BstConfig | DinConfig | MeanConfig | NoInterestConfig, Field(discriminator="kind")]
