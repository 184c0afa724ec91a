"""The retriever: a history becomes a user vector, an item becomes an item vector, their inner product is the score.

A Transformer over clicks, trained to predict the next one at every position, as in SASRec (Kang & McAuley 2018,
https://arxiv.org/abs/1808.09781), or another `target`. Shape letters: B histories, L positions, V items, D width,
N any number.
"""

from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from recsys.data.feature_table import Features
from recsys.model.embedding import CatalogueShape, EventEmbedding, FeatureEmbedding, ItemTower
from recsys.model.scores import DotConfig, ScoreConfig
from recsys.model.target import NextClickConfig, TargetConfig
from recsys.nn.calendar import Calendar, CalendarConfig, NoCalendarConfig
from recsys.nn.context import Packing, SequenceContext
from recsys.nn.encoder import Encoder, EncoderConfig
from recsys.nn.positions import POSITIONS, PositionKind
from recsys.nn.spans import NoSpansConfig, SpansConfig, since_last_click, until_asked


class RetrieverConfig(EncoderConfig):
    max_length: PositiveInt = 200
    """L: how many of a user's most recent clicks are read."""
    item_dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of clicks of which the model reads the item's features alone, while training. Where items have no features,
    such a click is there, and tells nothing."""
    positions: PositionKind = "none"
    """Added to each click: learned ones, counted from the window's `start` or its `end`, or `sinusoidal` ones from the
    start; or `none`, which leaves order to the mixer."""
    gaps: SpansConfig = NoSpansConfig()
    """What a click tells of the time since the click before it."""
    calendar: CalendarConfig = NoCalendarConfig()
    """What a click tells of when in the life of the log it happened."""
    query_time: SpansConfig = NoSpansConfig()
    """What a click tells of the time from it to the moment for which the next one is predicted. A model that reads it
    knows when the predicted click happens, as it does when it serves live, and every result of it says so."""
    score: ScoreConfig = DotConfig()
    item_table: Literal["tied", "own"] = "tied"
    """Whether candidates are scored by the table that embeds clicks, or by one of their own."""
    target: TargetConfig = NextClickConfig()
    """What training predicts: the `next_click` at each one, or clicks that are masked, from both sides: `cloze`."""

    @model_validator(mode="after")
    def _target_fits(self) -> Self:
        self.target.require_fit(self.mixer, reads_times=self.reads_times, has_positions=self.positions != "none")
        return self

    @property
    def num_places(self) -> int:
        """The most positions of a row: clicks, and what asks behind them."""
        return self.max_length + self.target.num_masks

    @property
    def reads_times(self) -> bool:
        """Whether the model wants to know when clicks happened."""
        reads_them_itself = self.gaps.floor_seconds is not None or self.calendar.num_stretches > 0
        return reads_them_itself or self.mixer.reads_times or self.reads_query_time

    @property
    def reads_query_time(self) -> bool:
        return self.query_time.floor_seconds is not None

    def build_event_embedding(self) -> EventEmbedding:
        additions = {
            "positions": POSITIONS[self.positions](self.num_places, self.dim),
            "gaps": self.gaps.build(self.dim, since_last_click),
            "calendar": self.calendar.build(self.dim),
            "query_time": self.query_time.build(self.dim, until_asked),
        }
        return EventEmbedding(additions, dim=self.dim, dropout=self.dropout)


class Retriever(nn.Module):
    """Item index 0 is padding: its vector is zero, and it is never a candidate."""

    def __init__(self, config: RetrieverConfig, shape: CatalogueShape) -> None:
        super().__init__()
        self.config = config
        self.shape = shape
        self.clicked = ItemTower(shape, config.dim)
        self.scored = self.clicked if config.item_table == "tied" else ItemTower(shape, config.dim)
        self.embed = config.build_event_embedding()
        self.encoder = Encoder(config, max_length=config.num_places)
        self.score = config.score.build()
        self.target = config.target.build(config.dim)

    @classmethod
    def for_catalogue(
        cls, config: RetrieverConfig, num_items: int, features: Features, *, lifetime: tuple[int, int] = (0, 1)
    ) -> Self:
        """A fresh retriever that knows the items' features, and the times of the first and the last training click."""
        retriever = cls(config, CatalogueShape.of(num_items, features))
        for tower in {retriever.clicked, retriever.scored}:
            for embedding, feature in zip(tower.features, features, strict=True):
                assert isinstance(embedding, FeatureEmbedding)
                embedding.assign(feature)
        calendar = retriever.embed.additions["calendar"]
        if isinstance(calendar, Calendar):
            calendar.assign(*lifetime)
        return retriever

    def encode(
        self, items_BL: Tensor, lengths_B: Tensor, times_BL: Tensor | None = None, asked_BL: Tensor | None = None
    ) -> Tensor:
        """[B, L] right-padded item indices -> [B, L, D]: at t, the user as known after click t.

        `times_BL` of the clicks and `asked_BL` of what follows each, in microseconds; a model that reads them takes
        them for unknown where there are none. With a `cloze` target, at t, what all clicks tell of the one there.
        """
        context = SequenceContext(lengths_B, times_BL, asked_BL, causal=self.config.target.is_causal)
        return self.score.user(self.encoder(*self._embedded(items_BL, context)))

    def encode_packed(
        self,
        items_N: Tensor,
        lengths_B: Tensor,
        times_BL: Tensor | None = None,
        asked_BL: Tensor | None = None,
        *,
        positions_N: Tensor,
        width: int,
    ) -> Tensor:
        """[N] items, row behind row -> [N, D]: `encode` at `positions_N` of [B * width], which are no padding."""
        packing = Packing.of(lengths_B, positions_N, width)
        context = SequenceContext(lengths_B, times_BL, asked_BL, packing=packing)
        return self.score.user(self.encoder(*self._embedded(items_N, context)))

    def user_vectors(
        self, items_BL: Tensor, lengths_B: Tensor, times_BL: Tensor | None = None, asked_BL: Tensor | None = None
    ) -> Tensor:
        """[B, L] -> [B, D]: the user after the last click. Every length is at least 1."""
        items_BL, context = self.target.question(items_BL, SequenceContext(lengths_B, times_BL, asked_BL))
        return self.score.user(self.encoder.last(*self._embedded(items_BL, context)))

    def _embedded(self, items: Tensor, context: SequenceContext) -> tuple[Tensor, SequenceContext]:
        """What the encoder reads, and what it is told of it."""
        hidden_share = self.config.item_dropout if self.training else 0.0
        vectors = self.target.vectors(self.clicked, items, hidden_share=hidden_share)
        told = self.embed.told(context)
        return self.embed(vectors, told), told

    def item_vectors(self) -> Tensor:
        """[V + 1, D]: what user vectors are multiplied with; row 0 is zero."""
        return self.score.item(self.scored.table())

    def vectors_of(self, items_N: Tensor) -> Tensor:
        """[N] item indices -> [N, D], rows of `item_vectors` without computing the others."""
        return self.score.item(self.scored(items_N))
