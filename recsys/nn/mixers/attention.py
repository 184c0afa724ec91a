"""Scaled dot-product attention (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762)."""

from typing import Literal

import torch.nn.functional as F
from pydantic import PositiveInt
from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.section import Section


def split_heads(x_BLD: Tensor, num_heads: int) -> Tensor:
    """[B, L, H * K] -> [B, H, L, K]"""
    return x_BLD.unflatten(-1, (num_heads, -1)).transpose(1, 2)


def merge_heads(x_BHLK: Tensor) -> Tensor:
    """[B, H, L, K] -> [B, L, H * K]"""
    return x_BHLK.transpose(1, 2).flatten(-2)


class SoftmaxAttention(nn.Module):
    """Causal attention takes the fused kernel without a mask: O(L) memory, no score is ever stored."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.to_qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.to_out = nn.Linear(dim, dim, bias=False)

    def forward(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        q, k, v = (split_heads(part, self.num_heads) for part in self.to_qkv(x_BLD).chunk(3, dim=-1))
        if context.causal:
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            readable_B1LL = context.readable_BLL(x_BLD.shape[1])[:, None]
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=readable_B1LL)
        return self.to_out(merge_heads(mixed))


class SoftmaxConfig(Section):
    kind: Literal["softmax"] = "softmax"
    num_heads: PositiveInt = 2
    """How many heads share the model's width."""

    def build(self, dim: int) -> nn.Module:
        return SoftmaxAttention(dim, self.num_heads)

    def require_fit(self, dim: int) -> None:
        """ValueError where the heads cannot share `dim` evenly."""
        if dim % self.num_heads:
            raise ValueError(
                f"dim ({dim}) must be divisible by mixer.num_heads ({self.num_heads}); change one of the two"
            )
