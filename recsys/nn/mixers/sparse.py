"""Sparse Transformer's attention (Child et al. 2019, https://arxiv.org/abs/1904.10509): what is near, and columns.

A row's C blocks of W positions lie one behind the other; S near positions and F far ones that a block may read.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import PositiveInt, model_validator
from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.attention import merge_heads, split_heads
from recsys.nn.mixers.mixer import PaddedMixer
from recsys.nn.mixers.mixer_config import HeadsSection
from recsys.nn.mixers.windows import Windows
from recsys.nn.shape import SequenceShape


class Pattern(ABC):
    """Whom a position reads. `near` are read as windows are, the far ones are the same column of each other block."""

    @abstractmethod
    def near(self, length: int, *, causal: bool) -> Windows:
        """As wide as the blocks are."""

    @abstractmethod
    def far_scores(self, q_BCHWK: Tensor, k_BCHWK: Tensor) -> Tensor:
        """[B, C, H, W, F]"""

    @abstractmethod
    def far_sum(self, weights_BCHWF: Tensor, v_BCHWK: Tensor) -> Tensor:
        """[B, C, H, W, K]"""

    @abstractmethod
    def far_valid(self, valid_BCW: Tensor) -> Tensor:
        """[B, 1, W, F], or 1 in the place of W: which far positions hold a click."""

    @abstractmethod
    def reads(self, places: Tensor, earlier_places: Tensor) -> Tensor:
        """Whether what stands at a place reads what stands at another, its own or an earlier one."""


@dataclass(frozen=True)
class Strided(Pattern):
    """The last `stride` positions, and all that are a multiple of `stride` away."""

    stride: int

    def near(self, length: int, *, causal: bool) -> Windows:
        return Windows.within(length, reach=self.stride - 1, causal=causal)

    def far_scores(self, q_BCHWK: Tensor, k_BCHWK: Tensor) -> Tensor:
        return torch.einsum("bchwk,bfhwk->bchwf", q_BCHWK, k_BCHWK)

    def far_sum(self, weights_BCHWF: Tensor, v_BCHWK: Tensor) -> Tensor:
        return torch.einsum("bchwf,bfhwk->bchwk", weights_BCHWF, v_BCHWK)

    def far_valid(self, valid_BCW: Tensor) -> Tensor:
        return valid_BCW.mT[:, None]

    def reads(self, places: Tensor, earlier_places: Tensor) -> Tensor:
        distances = places - earlier_places
        return (distances < self.stride) | (distances % self.stride == 0)


@dataclass(frozen=True)
class Fixed(Pattern):
    """The own block of `stride` positions, and the last `summary` positions of each other."""

    stride: int
    summary: int

    def near(self, length: int, *, causal: bool) -> Windows:
        return Windows(length, min(self.stride, length), before=0, after=0)

    def far_scores(self, q_BCHWK: Tensor, k_BCHWK: Tensor) -> Tensor:
        return torch.einsum("bchwk,bhfk->bchwf", q_BCHWK, self._summaries(k_BCHWK))

    def far_sum(self, weights_BCHWF: Tensor, v_BCHWK: Tensor) -> Tensor:
        return torch.einsum("bchwf,bhfk->bchwk", weights_BCHWF, self._summaries(v_BCHWK))

    def far_valid(self, valid_BCW: Tensor) -> Tensor:
        return valid_BCW[:, :, -self.summary :].flatten(1)[:, None, None]

    def reads(self, places: Tensor, earlier_places: Tensor) -> Tensor:
        same_block = places // self.stride == earlier_places // self.stride
        return same_block | (earlier_places % self.stride >= self.stride - self.summary)

    def _summaries(self, x_BCHWK: Tensor) -> Tensor:
        """[B, H, F, K]"""
        return x_BCHWK[..., -self.summary :, :].transpose(1, 2).flatten(2, 3)


class SparseAttention(PaddedMixer):
    """One softmax over what is near and what is far. With a stride of about sqrt(L) it is O(L sqrt(L)), no [L, L].

    Within two layers each position has read all that is earlier.
    """

    def __init__(self, dim: int, num_heads: int, pattern: Pattern) -> None:
        super().__init__()
        self.num_heads, self.pattern = num_heads, pattern
        self.to_qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.to_out = nn.Linear(dim, dim, bias=False)

    def mixed(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        (rows, length, dim), causal = x_BLD.shape, context.causal
        windows, valid_BL = self.pattern.near(length, causal=causal), context.valid_BL(length)
        qkv_BLE, blocks = self.to_qkv(x_BLD), (rows, windows.num_blocks)
        qkv_BCGWK = split_heads(windows.blocks(qkv_BLE), 3 * self.num_heads).unflatten(0, blocks)
        kv_BCGSK = split_heads(windows.neighbours(qkv_BLE[..., dim:]), 2 * self.num_heads).unflatten(0, blocks)
        (q, k, v), (near_k, near_v) = qkv_BCGWK.chunk(3, dim=2), kv_BCGSK.chunk(2, dim=2)
        near_readable = windows.readable_NWS(valid_BL, causal=causal).unflatten(0, blocks)
        far_readable = self._far_readable(windows.blocks(valid_BL[..., None]).view(*blocks, windows.width), causal)
        readable = [part.expand(*q.shape[:2], windows.width, -1) for part in (near_readable, far_readable)]
        scores = torch.cat([q @ near_k.mT, self.pattern.far_scores(q, k)], dim=-1) * q.shape[-1] ** -0.5
        weights = scores.masked_fill(~torch.cat(readable, dim=-1)[:, :, None], float("-inf")).softmax(dim=-1)
        near_weights, far_weights = weights.split([part.shape[-1] for part in readable], dim=-1)
        mixed_BCHWK = near_weights @ near_v + self.pattern.far_sum(far_weights, v)
        return self.to_out(windows.joined(merge_heads(mixed_BCHWK.flatten(0, 1))))

    def _far_readable(self, valid_BCW: Tensor, causal: bool) -> Tensor:
        """[B, C, W, F], or 1 in the place of W"""
        valid_B1WF = self.pattern.far_valid(valid_BCW)
        blocks_C = torch.arange(valid_BCW.shape[1], device=valid_BCW.device)
        blocks_F = blocks_C.repeat_interleave(valid_B1WF.shape[-1] // len(blocks_C))
        other_CF = blocks_F < blocks_C[:, None] if causal else blocks_F != blocks_C[:, None]
        return valid_B1WF & other_CF[:, None]

    def last(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """One query a row, and so a score for each position. Nothing real stands behind it."""
        length, dim = x_BLD.shape[1:]
        query_DD, rest_ED = self.to_qkv.weight.split([dim, 2 * dim])
        q_BH1K = split_heads(F.linear(context.last(x_BLD)[:, None], query_DD), self.num_heads)
        k_BHLK, v_BHLK = split_heads(F.linear(x_BLD, rest_ED), 2 * self.num_heads).chunk(2, dim=1)
        reads_BL = self.pattern.reads(context.lengths_B[:, None] - 1, context.columns(length))
        readable_B11L = (reads_BL & context.valid_BL(length))[:, None, None]
        mixed_BH1K = F.scaled_dot_product_attention(q_BH1K, k_BHLK, v_BHLK, attn_mask=readable_B11L)
        return self.to_out(merge_heads(mixed_BH1K)).squeeze(1)


class SparseConfig(HeadsSection):
    flop_order: ClassVar[float] = 1.5
    memory_order: ClassVar[float] = 1.5
    kind: Literal["sparse"] = "sparse"
    pattern: Literal["strided", "fixed"] = "strided"
    """`strided` reads the last `stride` positions and every stride-th earlier one; `fixed` its own block of `stride`
    positions and the last `summary` ones of each earlier block."""
    stride: PositiveInt = 16
    """About the square root of the longest row costs the least."""
    summary: PositiveInt = 4
    """Of the `fixed` pattern: how many positions of a block are read by later ones."""

    @model_validator(mode="after")
    def summaries_fit_their_blocks(self) -> Self:
        if self.pattern == "fixed" and self.summary > self.stride:
            raise ValueError(
                f"summary ({self.summary}) positions of a block of stride ({self.stride}) cannot be read; change one "
                f"of the two"
            )
        return self

    def build(self, shape: SequenceShape) -> SparseAttention:
        pattern = Strided(self.stride) if self.pattern == "strided" else Fixed(self.stride, self.summary)
        return SparseAttention(shape.dim, self.num_heads, pattern)
