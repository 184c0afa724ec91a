"""Causal attention within rows that lie one behind the other: N positions, H heads, K width of a head."""

from functools import cache
from inspect import signature

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys.nn.context import Packing

EARLIER_ONLY = (-1, 0)


@cache
def torch_has_it() -> bool:
    """torch 2.10 says in other words which positions may be read."""
    # a GPU's kernel, whose import takes longer than all of the model's
    from torch.nn.attention.varlen import varlen_attn

    return "window_size" in signature(varlen_attn).parameters


def has_kernel(q_NHK: Tensor) -> bool:
    """Whether torch's variable-length kernel takes such tensors."""
    is_half = q_NHK.dtype in (torch.float16, torch.bfloat16)
    fits = q_NHK.is_cuda and is_half and q_NHK.shape[-1] % 8 == 0 and q_NHK.shape[-1] <= 256
    return fits and torch_has_it()


def packed_attention(q_NHK: Tensor, k_NHK: Tensor, v_NHK: Tensor, packing: Packing) -> Tensor:
    """[N, H, K]: each position reads itself and the earlier ones of its row. Without a kernel it pads meanwhile."""
    if has_kernel(q_NHK):
        from torch.nn.attention.varlen import varlen_attn

        offsets, width = packing.offsets_B1, packing.width
        mixed_NHK = varlen_attn(q_NHK, k_NHK, v_NHK, offsets, offsets, width, width, window_size=EARLIER_ONLY)
        assert isinstance(mixed_NHK, Tensor)  # nothing else was asked for
        return mixed_NHK
    q, k, v = (packing.unpack(part_NHK).transpose(1, 2) for part_NHK in (q_NHK, k_NHK, v_NHK))
    mixed_BHLK = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return packing.pack(mixed_BHLK.transpose(1, 2))
