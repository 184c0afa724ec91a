"""Attention with all pairs written out, to which mixers that compute fewer, or add to the scores, are held."""

import torch
from torch import Tensor

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.attention import merge_heads, split_heads
from tests.nn.mixers.contract import real


def dense(mixer, x_BLD: Tensor, context: SequenceContext, *, bias: Tensor | float = 0.0) -> Tensor:
    """softmax(Q K^T / sqrt(K) + bias) V of what may be read; `bias` broadcasts to [B, H, L, L]."""
    q, k, v = (split_heads(part, mixer.num_heads) for part in mixer.to_qkv(x_BLD).chunk(3, dim=-1))
    mixed_BHLK = attended(q, k, v, readable_BLL(context, x_BLD.shape[1]), bias=bias)
    return mixer.to_out(merge_heads(mixed_BHLK)) * real(context.lengths_B, x_BLD.shape[1])[..., None]


def attended(q: Tensor, k: Tensor, v: Tensor, readable_BLL: Tensor, *, bias: Tensor | float = 0.0) -> Tensor:
    """[B, H, L, K]"""
    scores = q @ k.mT / q.shape[-1] ** 0.5 + bias
    weights = scores.exp() * readable_BLL[:, None]
    return weights / weights.sum(dim=-1, keepdim=True) @ v


def readable_BLL(context: SequenceContext, length: int) -> Tensor:
    """Which positions each may read, itself among them; the context is not asked."""
    reader_L1, source_L = torch.arange(length)[:, None], torch.arange(length)
    is_real_B1L = real(context.lengths_B, length)[:, None]
    return (is_real_B1L | (source_L == reader_L1)) & ((source_L <= reader_L1) | (not context.causal))


def pattern_bias(reads, length: int) -> Tensor:
    """[L, L]: 0 where `reads(i, j)`, or where they are the same, else -inf."""
    read = [[i == j or reads(i, j) for j in range(length)] for i in range(length)]
    return torch.zeros(length, length, dtype=torch.float64).masked_fill(~torch.tensor(read), float("-inf"))
