"""Scaled dot-product attention (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762)."""

from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.cache import KeyValues, Newest
from recsys.nn.mixers.mixer import Mixer
from recsys.nn.mixers.mixer_config import HeadsSection
from recsys.nn.mixers.packed import packed_attention
from recsys.nn.shape import SequenceShape


def split_heads(x_BLD: Tensor, num_heads: int) -> Tensor:
    """[B, L, H * K] -> [B, H, L, K]"""
    return x_BLD.unflatten(-1, (num_heads, -1)).transpose(1, 2)


def merge_heads(x_BHLK: Tensor) -> Tensor:
    """[B, H, L, K] -> [B, L, H * K]"""
    return x_BHLK.transpose(1, 2).flatten(-2)


def read_beyond(scores_BHNS: Tensor, v_BHLK: Tensor, own_v_BHNK: Tensor, valid_BL: Tensor) -> Tensor:
    """[B, N, H * K]: what each of N targets behind a row reads of the row and, the last of S, of itself."""
    unreadable_BS = ~F.pad(valid_BL, (0, 1), value=True)
    weights_BHNS = scores_BHNS.masked_fill(unreadable_BS[:, None, None], float("-inf")).softmax(dim=-1)
    weights_BHNL, own_weight_BHN1 = weights_BHNS.split([v_BHLK.shape[2], 1], dim=-1)
    return merge_heads(weights_BHNL @ v_BHLK + own_weight_BHN1 * own_v_BHNK)


class SoftmaxAttention(Mixer):
    """Causal attention takes the fused kernel without a mask: O(L) memory, no score is ever stored."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.to_qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.to_out = nn.Linear(dim, dim, bias=False)

    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        if context.packing is not None:
            assert context.causal, "packed rows are read causally only"
            q, k, v = self.to_qkv(x_BLD).unflatten(-1, (3, self.num_heads, -1)).unbind(1)
            q, k = self.placed(q, k, context)
            return self.to_out(packed_attention(q, k, v, context.packing).flatten(1))
        q, k, v = self._parts(x_BLD)
        q, k = self.placed(q, k, context)
        if context.causal:
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            readable_B1LL = context.readable_BLL(x_BLD.shape[1])[:, None]
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=readable_B1LL)
        return self.to_out(merge_heads(mixed))

    def placed(self, q: Tensor, k: Tensor, context: SequenceContext) -> tuple[Tensor, Tensor]:
        """Queries and keys, [B, H, L, K] or packed [N, H, K], as they meet: here whatever their places are."""
        return q, k

    def last(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """One query a row, and no key or value is ever made.

        q . (Wk x) is (q Wk) . x, and the mean of the values Wv x is Wv times the mean of the x. So a position costs
        two products with D numbers for each head, where its key and its value would be 2 D of them.
        """
        query_HKD, key_HKD, value_HKD = self.to_qkv.weight.unflatten(0, (3, self.num_heads, -1))
        q_BHK = torch.einsum("bd,hkd->bhk", context.last(x_BLD), query_HKD)
        scores_BHL = torch.einsum("bhk,hkd->bhd", q_BHK, key_HKD) @ x_BLD.mT * q_BHK.shape[-1] ** -0.5
        unreadable_B1L = ~context.valid_BL(x_BLD.shape[1])[:, None]
        weights_BHL = scores_BHL.masked_fill(unreadable_B1L, float("-inf")).softmax(dim=-1)
        return self.to_out(torch.einsum("bhd,hkd->bhk", weights_BHL @ x_BLD, value_HKD).flatten(1))

    def beyond(self, x_BLD: Tensor, context: SequenceContext, targets_BND: Tensor) -> Tensor:
        """Keys and values of a row are made once, whatever the number of targets."""
        (q_BHNK, own_k_BHNK, own_v_BHNK), (_, k_BHLK, v_BHLK) = self._parts(targets_BND), self._parts(x_BLD)
        own_BHN1 = (q_BHNK * own_k_BHNK).sum(dim=-1, keepdim=True)
        placed_q, placed_k = self.placed_beyond(q_BHNK, k_BHLK, context)
        scores_BHNS = torch.cat([placed_q @ placed_k.mT, own_BHN1], dim=-1) * q_BHNK.shape[-1] ** -0.5
        return self.to_out(read_beyond(scores_BHNS, v_BHLK, own_v_BHNK, context.valid_BL(x_BLD.shape[1])))

    def placed_beyond(self, q_BHNK: Tensor, k_BHLK: Tensor, context: SequenceContext) -> tuple[Tensor, Tensor]:
        """Queries that all stand just behind their row, and the row's keys."""
        return q_BHNK, k_BHLK

    def begin(self, x_BLD: Tensor, context: SequenceContext, *, room: int) -> KeyValues:
        """What is kept of the rows, with room for so many positions each: keys as queries meet them, and values."""
        q_BHLK, k_BHLK, v_BHLK = self._parts(x_BLD)
        return KeyValues.of(self.placed(q_BHLK, k_BHLK, context)[1], v_BHLK, room=room)

    def step(self, x_BD: Tensor, kept: KeyValues, newest: Newest) -> Tensor:
        """[B, D]: `forward` at one more position of each row, which is appended to what is kept."""
        qkv_3BHK = self.to_qkv(x_BD).view(-1, 3, self.num_heads, x_BD.shape[1] // self.num_heads).transpose(0, 1)
        qkv_3BHK = self.placed_newest(qkv_3BHK, kept, newest)
        k_BHSK, v_BHSK = kept.append(qkv_3BHK.narrow(0, 1, 2), newest)
        readable_B11S = None if newest.readable_BS is None else newest.readable_BS[:, None, None]
        q_BH1K = qkv_3BHK.select(0, 0).unsqueeze(2)
        mixed_BH1K = F.scaled_dot_product_attention(q_BH1K, k_BHSK, v_BHSK, attn_mask=readable_B11S)
        return self.to_out(mixed_BH1K.flatten(1))

    def placed_newest(self, qkv_3BHK: Tensor, kept: KeyValues, newest: Newest) -> Tensor:
        """The newest positions' queries and keys as `placed` would have them, and their values."""
        return qkv_3BHK

    def _parts(self, x_BLD: Tensor) -> tuple[Tensor, ...]:
        """Queries, keys and values, [B, H, L, K] each."""
        return split_heads(self.to_qkv(x_BLD), 3 * self.num_heads).chunk(3, dim=1)


class SoftmaxConfig(HeadsSection):
    knows_order: ClassVar[bool] = False
    memory_order: ClassVar[float] = 1.0
    kind: Literal["softmax"] = "softmax"

    def build(self, shape: SequenceShape) -> SoftmaxAttention:
        return SoftmaxAttention(shape.dim, self.num_heads)
