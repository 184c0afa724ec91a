"""Attention with all pairs written out, to which mixers that compute fewer, or add to the scores, are held."""

import torch
from torch import Tensor

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.attention import SoftmaxAttention, merge_heads, split_heads
from tests.nn.mixers.contract import DIM


def dense(mixer, x_BLD: Tensor, context: SequenceContext, *, bias: Tensor | float = 0.0) -> Tensor:
    """softmax(Q K^T / sqrt(K) + bias) V of what may be read; `bias` broadcasts to [B, H, L, L]."""
    q, k, v = (split_heads(part, mixer.num_heads) for part in mixer.to_qkv(x_BLD).chunk(3, dim=-1))
    scores = q @ k.mT / q.shape[-1] ** 0.5 + bias
    unreadable_B1LL = ~context.readable_BLL(x_BLD.shape[1])[:, None]
    weights = scores.masked_fill(unreadable_B1LL, float("-inf")).softmax(dim=-1)
    return mixer.to_out(merge_heads(weights @ v)) * context.valid_BL(x_BLD.shape[1])[..., None]


def softmax_attention(mixer, x_BLD: Tensor, context: SequenceContext) -> Tensor:
    """What plain attention with the mixer's weights gives."""
    plain = SoftmaxAttention(DIM, mixer.num_heads).to(x_BLD.dtype)
    plain.load_state_dict({name: w for name, w in mixer.state_dict().items() if name.startswith("to_")})
    return plain(x_BLD, context) * context.valid_BL(x_BLD.shape[1])[..., None]


def pattern_bias(reads, length: int) -> Tensor:
    """[L, L]: 0 where `reads(i, j)`, or where they are the same, else -inf."""
    read = [[i == j or reads(i, j) for j in range(length)] for i in range(length)]
    return torch.zeros(length, length, dtype=torch.float64).masked_fill(~torch.tensor(read), float("-inf"))
