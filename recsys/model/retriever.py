"""The retriever: a history becomes a user vector, an item becomes an item vector, their inner product is the score.

A causal Transformer over clicks, trained to predict the next one at every position, as in SASRec (Kang & McAuley 2018,
https://arxiv.org/abs/1808.09781). Shape letters: B histories, L positions, V items, D width, N any number.
"""

from typing import Literal, Self

from pydantic import PositiveInt
from torch import Tensor, nn

from recsys.data.item_features import ItemFeatures
from recsys.model.embedding import CatalogueShape, EventEmbedding, FeatureEmbedding, ItemTower
from recsys.model.scores import DotConfig, ScoreConfig
from recsys.nn.context import Packing, SequenceContext
from recsys.nn.encoder import Encoder, EncoderConfig


class RetrieverConfig(EncoderConfig):
    max_length: PositiveInt = 200
    """L: how many of a user's most recent clicks are read."""
    score: ScoreConfig = DotConfig()
    item_table: Literal["tied", "own"] = "tied"
    """Whether candidates are scored by the table that embeds clicks, or by one of their own."""


class Retriever(nn.Module):
    """Item index 0 is padding: its vector is zero, and it is never a candidate."""

    def __init__(self, config: RetrieverConfig, shape: CatalogueShape) -> None:
        super().__init__()
        self.config = config
        self.shape = shape
        self.clicked = ItemTower(shape, config.dim)
        self.scored = self.clicked if config.item_table == "tied" else ItemTower(shape, config.dim)
        self.embed = EventEmbedding(config.max_length, config.dim, config.dropout)
        self.encoder = Encoder(config)
        self.score = config.score.build()

    @classmethod
    def for_catalogue(cls, config: RetrieverConfig, num_items: int, features: ItemFeatures) -> Self:
        """A fresh retriever that knows the items' features."""
        retriever = cls(config, CatalogueShape.of(num_items, features))
        for tower in {retriever.clicked, retriever.scored}:
            for embedding, feature in zip(tower.features, features, strict=True):
                assert isinstance(embedding, FeatureEmbedding)
                embedding.assign(feature)
        return retriever

    def encode(self, items_BL: Tensor, lengths_B: Tensor) -> Tensor:
        """[B, L] right-padded item indices -> [B, L, D]: at t, the user as known after click t."""
        hidden_BLD = self.encoder(self.embed(self.clicked(items_BL)), SequenceContext(lengths_B))
        return self.score.user(hidden_BLD)

    def encode_packed(self, items_N: Tensor, lengths_B: Tensor, *, positions_N: Tensor, width: int) -> Tensor:
        """[N] items, row behind row -> [N, D]: `encode` at `positions_N` of [B * width], which are no padding."""
        packing = Packing.of(lengths_B, positions_N, width)
        x_ND = self.embed.packed(self.clicked(items_N), packing.columns_N)
        return self.score.user(self.encoder(x_ND, SequenceContext(lengths_B, packing=packing)))

    def user_vectors(self, items_BL: Tensor, lengths_B: Tensor) -> Tensor:
        """[B, L] -> [B, D]: the user after the last click. Every length is at least 1."""
        hidden_BD = self.encoder.last(self.embed(self.clicked(items_BL)), SequenceContext(lengths_B))
        return self.score.user(hidden_BD)

    def item_vectors(self) -> Tensor:
        """[V + 1, D]: what user vectors are multiplied with; row 0 is zero."""
        return self.score.item(self.scored.table())

    def vectors_of(self, items_N: Tensor) -> Tensor:
        """[N] item indices -> [N, D], rows of `item_vectors` without computing the others."""
        return self.score.item(self.scored(items_N))
