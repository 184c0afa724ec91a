"""Softmax attention to whose scores something is added that depends on how far apart two clicks are.

S positions that may be read; a dimension of 1 stands in the place of B where all rows are alike.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.attention import merge_heads, read_beyond, split_heads
from recsys.nn.mixers.mixer import PaddedMixer


@dataclass(frozen=True)
class Pairs:
    """Who meets whom: how many places before a query (rows) each position stands, negative where behind, and when the
    two clicks happened, in microseconds, where it is told."""

    distances_BLS: Tensor
    query_times_BL: Tensor | None
    source_times_BS: Tensor | None
    untold_B1: Tensor | None

    @classmethod
    def of_all(cls, context: SequenceContext, length: int) -> "Pairs":
        """All positions with all."""
        return cls(context.distances_LS(length)[None], context.times_BL, context.times_BL, context.untold_B1)

    @classmethod
    def of_last(cls, context: SequenceContext, length: int) -> "Pairs":
        """Each row's last click with all positions."""
        distances_BS = context.lengths_B[:, None] - 1 - context.columns(length)
        last_times_B1 = None if context.times_BL is None else context.last(context.times_BL)[:, None]
        return cls(distances_BS[:, None], last_times_B1, context.times_BL, context.untold_B1)

    @classmethod
    def beyond(cls, context: SequenceContext, length: int) -> "Pairs":
        """What comes behind each row, when it is asked for, with all positions and then with itself."""
        distances_BS = F.pad(context.lengths_B[:, None] - context.columns(length), (0, 1))
        if context.times_BL is None or context.asked_BL is None:
            return cls(distances_BS[:, None], None, None, None)
        asked_B1 = context.asked_BL.gather(1, (context.lengths_B[:, None] - 1).clamp(min=0))
        sources_BS = torch.cat([context.times_BL, asked_B1], dim=1)
        return cls(distances_BS[:, None], asked_B1, sources_BS, context.untold_B1)

    @property
    def apart_BLS(self) -> Tensor | None:
        """The time between the two clicks, whichever was first; -1 where untold, None where all are."""
        if self.query_times_BL is None or self.source_times_BS is None:
            return None
        apart_BLS = (self.query_times_BL[:, :, None] - self.source_times_BS[:, None]).abs()
        return apart_BLS if self.untold_B1 is None else apart_BLS.masked_fill(self.untold_B1[:, None], -1)


class Bias(nn.Module, ABC):
    """What is added to the scores."""

    @abstractmethod
    def forward(self, q_BHLK: Tensor, pairs: Pairs) -> Tensor:
        """[B, H, L, S], or 1 where there is no difference."""


class BiasedAttention(PaddedMixer):
    """softmax(Q K^T / sqrt(K) + bias) V. The biases of all pairs are held: O(H L^2), for each row if they differ."""

    def __init__(self, dim: int, num_heads: int, bias: Bias) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.to_qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.to_out = nn.Linear(dim, dim, bias=False)
        self.bias = bias

    def mixed(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        length = x_BLD.shape[1]
        q_BHLK, k_BHLK, v_BHLK = self._parts(x_BLD)
        pairs = Pairs.of_all(context, length)
        # under causality padding is later than all that counts, so one mask serves all rows
        readable_BLL = pairs.distances_BLS >= 0 if context.causal else context.readable_BLL(length)
        return self._attended(q_BHLK, k_BHLK, v_BHLK, pairs, readable_BLL)

    def last(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """One query a row."""
        query_DD, rest_2DD = self.to_qkv.weight.split([x_BLD.shape[-1], 2 * x_BLD.shape[-1]])
        q_BH1K = split_heads(F.linear(context.last(x_BLD)[:, None], query_DD), self.num_heads)
        k_BHLK, v_BHLK = split_heads(F.linear(x_BLD, rest_2DD), 2 * self.num_heads).chunk(2, dim=1)
        pairs, valid_BL = Pairs.of_last(context, x_BLD.shape[1]), context.valid_BL(x_BLD.shape[1])
        return self._attended(q_BH1K, k_BHLK, v_BHLK, pairs, valid_BL[:, None]).squeeze(1)

    def beyond(self, x_BLD: Tensor, context: SequenceContext, targets_BND: Tensor) -> Tensor:
        """Keys and values of a row are made once, whatever the number of targets."""
        length = x_BLD.shape[1]
        (q_BHNK, own_k_BHNK, own_v_BHNK), (_, k_BHLK, v_BHLK) = self._parts(targets_BND), self._parts(x_BLD)
        own_BHN1 = (q_BHNK * own_k_BHNK).sum(dim=-1, keepdim=True)
        scores_BHNS = torch.cat([q_BHNK @ k_BHLK.mT, own_BHN1], dim=-1) * q_BHNK.shape[-1] ** -0.5
        scores_BHNS = scores_BHNS + self.bias(q_BHNK, Pairs.beyond(context, length))
        return self.to_out(read_beyond(scores_BHNS, v_BHLK, own_v_BHNK, context.valid_BL(length)))

    def _attended(self, q: Tensor, k: Tensor, v: Tensor, pairs: Pairs, readable_BLS: Tensor) -> Tensor:
        bias_BHLS = self.bias(q, pairs).masked_fill(~readable_BLS[:, None], float("-inf"))
        return self.to_out(merge_heads(F.scaled_dot_product_attention(q, k, v, attn_mask=bias_BHLS)))

    def _parts(self, x_BLD: Tensor) -> tuple[Tensor, ...]:
        """Queries, keys and values, [B, H, L, K] each."""
        return split_heads(self.to_qkv(x_BLD), 3 * self.num_heads).chunk(3, dim=1)


def looked_up(index_BLS: Tensor, table_RH: Tensor) -> Tensor:
    """[B, H, L, S]: each head's own number at an index of a table."""
    return F.embedding(index_BLS, table_RH).movedim(-1, 1)
