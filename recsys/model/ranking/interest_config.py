"""Which model of a user's interest a ranker has: `ranker.model.interest`."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from recsys.errors import ConfigError
from recsys.model.ranking.interest import BstInterest, DinInterest, Interest, MeanInterest, NoInterest
from recsys.model.ranking.positions import ByTimeConfig, NoPlacementConfig, PlacementConfig
from recsys.nn.encoder import EncoderConfig
from recsys.nn.feedforward import FeedForwardConfig
from recsys.nn.mixers import MixerConfig
from recsys.nn.mixers.attention import SoftmaxConfig
from recsys.nn.norm import NormKind
from recsys.nn.residual import ResidualKind
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

    def build(self, width: int, dropout: float) -> Interest:
        try:
            self.mixer.require_fit(width)
        except ValueError:
            raise ConfigError(
                f"ranker.model: an event is {width} numbers wide, one `dim` for its id, for each feature and for its "
                f"position, and the {self.mixer.num_heads} heads of ranker.model.interest.mixer cannot share them: "
                f"make ranker.model.dim a multiple of {self.mixer.num_heads}, or change num_heads"
            ) from None
        encoder = EncoderConfig(
            dim=width,
            num_blocks=self.num_blocks,
            residual=self.residual,
            mixer=self.mixer,
            feedforward=FeedForwardConfig(kind="leaky_relu", expansion=self.expansion),
            norm=self.norm,
            dropout=dropout,
        )
        return BstInterest(encoder, pools=self.pooling == "mean")


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

    def build(self, width: int, dropout: float) -> Interest:
        return DinInterest(width, self.hidden)


class MeanConfig(Unplaced):
    """The mean of the history."""

    kind: Literal["mean"] = "mean"

    def build(self, width: int, dropout: float) -> Interest:
        return MeanInterest(width)


class NoInterestConfig(Unplaced):
    """The history is not read."""

    kind: Literal["none"] = "none"

    def build(self, width: int, dropout: float) -> Interest:
        return NoInterest()


InterestConfig = Annotated[BstConfig | DinConfig | MeanConfig | NoInterestConfig, Field(discriminator="kind")]
