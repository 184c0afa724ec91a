"""Items, users and clicks as a ranker reads them: an embedding of the id, and one of each feature, side by side.

An id or a value that training never saw is not `known`, and adds nothing. Shape letters: R rows, G values, M of them in
one row, D width of one embedding.
"""

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys.data.feature_table import Feature, dense_values
from recsys.model.embedding import FeatureShape

INITIAL = 1e-4
"""Spread of fresh embeddings: what few examples have taught anything of says next to nothing."""


class ValueEmbedding(nn.Module):
    """[..., M] values of a feature, filled up with 0 -> [..., D]: the mean of the known, zero where there is none."""

    known_G: Tensor

    def __init__(self, num_values: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_values, dim) * INITIAL)
        self.register_buffer("known_G", torch.arange(num_values) > 0)

    def know(self, values: Tensor) -> None:
        """These and no others; 0 is none."""
        self.known_G.zero_()
        self.known_G[values.flatten()] = True
        self.known_G[0] = False

    def forward(self, values: Tensor) -> Tensor:
        flat_NM = (values * self.known_G[values]).flatten(0, -2)
        return F.embedding_bag(flat_NM, self.weight, mode="mean", padding_idx=0).unflatten(0, values.shape[:-1])


class IdEmbedding(nn.Module):
    """[...] indices -> [..., D]; what is not `known` in training is 0, whose vector is zero."""

    known_R: Tensor

    def __init__(self, num_rows: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_rows, dim) * INITIAL)
        self.register_buffer("known_R", torch.ones(num_rows, dtype=torch.bool))
        self.known_R[0] = False

    def forward(self, rows: Tensor) -> Tensor:
        return F.embedding(rows, self.weight) * self.known_R[rows][..., None]


class RowVectors(nn.Module):
    """An item or a user, by index: its id, where ids are read, and its features. `width` numbers in all."""

    def __init__(self, num_rows: int, features: Sequence[FeatureShape], dim: int, *, reads_ids: bool) -> None:
        super().__init__()
        self.ids = IdEmbedding(num_rows + 1, dim) if reads_ids else None
        self.features = nn.ModuleList(ValueEmbedding(feature.num_values, dim) for feature in features)
        for number, feature in enumerate(features):
            values = torch.zeros(num_rows + 1, feature.width, dtype=torch.int64)
            self.register_buffer(f"values{number}_RM", values)
        self.num_rows = num_rows
        self.sizes = [feature.num_values for feature in features]
        self.width = dim * (len(features) + reads_ids)

    def assign(self, features: Iterable[Feature], known_R: Tensor) -> None:
        """What the rows are, and which of them training knows: only their values are known."""
        if self.ids is not None:
            self.ids.known_R.copy_(known_R)
        for number, (feature, embed) in enumerate(zip(features, self.features, strict=True)):
            assert isinstance(embed, ValueEmbedding)
            values_RM = self.get_buffer(f"values{number}_RM")
            values_RM.copy_(torch.from_numpy(dense_values(feature)))
            embed.know(values_RM[known_R])

    @torch.no_grad()
    def begin(self, vectors_RD: Tensor) -> None:
        """Where the embeddings of ids start from."""
        assert self.ids is not None
        self.ids.weight.copy_(vectors_RD)

    def values(self, number: int, rows: Tensor, told: Sequence[Tensor] = ()) -> Tensor:
        """[...] -> [..., M]: of one feature; of what is `told` of the rows, [..., M] of each, where anything is."""
        return told[number] if told else self.get_buffer(f"values{number}_RM")[rows]

    def forward(self, rows: Tensor, told: Sequence[Tensor] = ()) -> Tensor:
        """[...] -> [..., width]. Where more are asked for than there are, each is made once."""
        if told or not self.sizes or rows.numel() <= self.num_rows:
            return self._made(rows, told)
        return F.embedding(rows, self._made(torch.arange(self.num_rows + 1, device=rows.device)))

    def _made(self, rows: Tensor, told: Sequence[Tensor] = ()) -> Tensor:
        ids = [] if self.ids is None else [self.ids(rows)]
        vectors = [*ids, *(embed(self.values(number, rows, told)) for number, embed in enumerate(self.features))]
        return torch.cat(vectors, dim=-1) if vectors else rows.new_zeros((*rows.shape, 0), dtype=torch.float32)
