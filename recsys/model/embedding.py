"""Items and events as vectors.

The item tower is one table used on both sides where it is tied: what a click looks like, and what a candidate is
scored by.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys.data.feature_table import Feature, Features
from recsys.data.vocabulary import PADDING
from recsys.nn.context import SequenceContext
from recsys.nn.dropout import Dropout
from recsys.section import Section

OWN_SHARE = 0.1
"""Of the length of a feature's vector, how long an item's own is before training.

Items then begin as what their features say, and differ as far as their clicks tell them apart. Where there are no
features it keeps the first logits flat, and rare items near the middle.
"""
UNTOLD_SHARE = 0.1
"""Of the histories in training, whose times are all unknown: so that a history without times can be read as well."""


class FeatureShape(Section):
    """How many values a feature has, index 0 (none) included, and how many of them one item may carry."""

    num_values: int
    width: int

    @classmethod
    def of(cls, feature: Feature) -> "FeatureShape":
        return cls(
            num_values=feature.num_values,
            width=max(1, int((feature.offsets[1:] - feature.offsets[:-1]).max())),
        )


class CatalogueShape(Section):
    """The sizes a retriever is built for."""

    num_items: int
    features: tuple[FeatureShape, ...] = ()

    @classmethod
    def of(cls, num_items: int, features: Features) -> "CatalogueShape":
        return cls(num_items=num_items, features=tuple(FeatureShape.of(feature) for feature in features))


class FeatureEmbedding(nn.Module):
    """One feature of an item as a vector: the mean over the item's values, zero where it has none."""

    values_VM: Tensor

    def __init__(self, num_items: int, shape: FeatureShape, dim: int) -> None:
        super().__init__()
        self.register_buffer("values_VM", torch.zeros(num_items + 1, shape.width, dtype=torch.int64))
        self.weight = nn.Parameter(torch.randn(shape.num_values, dim) * dim**-0.5)

    def assign(self, feature: Feature) -> None:
        """Every item's values, filled up with 0."""
        counts_V = torch.from_numpy(feature.offsets[1:] - feature.offsets[:-1])
        real_VM = torch.arange(self.values_VM.shape[1]) < counts_V[:, None]
        self.values_VM[real_VM] = torch.from_numpy(feature.values.astype("int64"))

    def forward(self, items_N: Tensor) -> Tensor:
        return F.embedding_bag(self.values_VM[items_N], self.weight, mode="mean", padding_idx=0)


class ItemTower(nn.Module):
    """Item index -> vector: the item's own embedding plus one vector for each feature. Index 0, padding, is zero."""

    has_sparse_gradient = False
    """Whether `weight_VD` gets a gradient of the rows that were looked up only."""

    def __init__(self, shape: CatalogueShape, dim: int) -> None:
        super().__init__()
        self.weight_VD = nn.Parameter(torch.randn(shape.num_items + 1, dim) * (OWN_SHARE * dim**-0.5))
        self.features = nn.ModuleList(FeatureEmbedding(shape.num_items, feature, dim) for feature in shape.features)

    def forward(self, items: Tensor, *, hidden_share: float = 0.0) -> Tensor:
        """[...] item indices -> [..., D]; of a share of them, drawn anew each time, the features' part alone."""
        flat_N = items.flatten()
        vectors_ND = F.embedding(flat_N, self.weight_VD, sparse=self.has_sparse_gradient)
        if hidden_share:
            vectors_ND = vectors_ND * (torch.rand(len(flat_N), 1, device=flat_N.device) >= hidden_share)
        for feature in self.features:
            vectors_ND = vectors_ND + feature(flat_N)
        return (vectors_ND * (flat_N != PADDING).unsqueeze(1)).view(*items.shape, vectors_ND.shape[-1])

    def table(self) -> Tensor:
        """[V + 1, D]: every item at once."""
        return self(torch.arange(len(self.weight_VD), device=self.weight_VD.device))


class EventEmbedding(nn.Module):
    """A click as the encoder reads it: its item's vector, at unit scale, and what its place and time add."""

    def __init__(self, additions: Mapping[str, nn.Module], *, dim: int, dropout: float) -> None:
        super().__init__()
        self.scale = dim**0.5
        self.additions = nn.ModuleDict(additions)
        self.dropout = Dropout(dropout)

    def told(self, context: SequenceContext) -> SequenceContext:
        """The context as it is read: while training, some rows' times are hidden from everybody."""
        if not self.training or context.times_BL is None:
            return context
        draws_B1 = torch.rand(len(context.lengths_B), 1, device=context.lengths_B.device)
        return replace(context, untold_B1=draws_B1 < UNTOLD_SHARE)

    def forward(self, items_BLD: Tensor, context: SequenceContext) -> Tensor:
        """[B, L, D] -> [B, L, D], or [N, D] of packed rows."""
        x_BLD = items_BLD * self.scale
        for addition in self.additions.values():
            x_BLD = addition(x_BLD, context)
        return self.dropout(x_BLD)
