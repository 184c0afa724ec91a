"""Attention whose scores depend on how far apart two clicks stand: rotary positions (Su et al. 2021,
https://arxiv.org/abs/2104.09864)."""

from dataclasses import replace
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat
from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.attention import SoftmaxAttention, split_heads
from recsys.nn.mixers.cache import KeyValues, Newest
from recsys.nn.mixers.mixer_config import HeadsSection
from recsys.nn.shape import SequenceShape


class Rotary(nn.Module):
    """Turns each pair of numbers of a query or key by position times a frequency of its own, in fp32.

    A query at t and a key at s then meet at the angle of t - s alone. Pair j is the numbers j and j + K / 2.
    """

    frequencies_J: Tensor

    def __init__(self, width: int, base: float) -> None:
        super().__init__()
        frequencies_J = base ** -(torch.arange(width // 2) * 2 / width)
        self.register_buffer("frequencies_J", frequencies_J, persistent=False)

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        """[..., K] and places that broadcast to [...] -> [..., K]"""
        angles = places[..., None] * self.frequencies_J
        first, second = x.chunk(2, dim=-1)
        turned = first * angles.cos() - second * angles.sin(), second * angles.cos() + first * angles.sin()
        return torch.cat(turned, dim=-1).to(x.dtype)

    def turns(self, num_places: int) -> Tensor:
        """[2, L, K]: c and s of each place, with which x * c + (x with its halves swapped) * s is `forward`."""
        angles_LJ = torch.arange(num_places, device=self.frequencies_J.device)[:, None] * self.frequencies_J
        cos_LJ, sin_LJ = angles_LJ.cos(), angles_LJ.sin()
        return torch.stack([torch.cat([cos_LJ, cos_LJ], dim=-1), torch.cat([-sin_LJ, sin_LJ], dim=-1)])


class RotaryAttention(SoftmaxAttention):
    def __init__(self, dim: int, num_heads: int, base: float) -> None:
        super().__init__(dim, num_heads)
        self.rotary = Rotary(dim // num_heads, base)

    def placed(self, q: Tensor, k: Tensor, context: SequenceContext) -> tuple[Tensor, Tensor]:
        places = context.columns(q.shape[-2]) if context.packing is None else context.packing.columns_N[:, None]
        return self.rotary(q, places), self.rotary(k, places)

    def placed_beyond(self, q_BHNK: Tensor, k_BHLK: Tensor, context: SequenceContext) -> tuple[Tensor, Tensor]:
        return (
            self.rotary(q_BHNK, context.lengths_B[:, None, None]),
            self.rotary(k_BHLK, context.columns(k_BHLK.shape[-2])),
        )

    def begin(self, x_BLD: Tensor, context: SequenceContext, *, room: int) -> KeyValues:
        """`table` turns query, key and value at once, the value by as much as at place 0: not at all."""
        turns_2LK = self.rotary.turns(room)
        unturned_2LK = turns_2LK[:, :1].expand_as(turns_2LK)
        table_23L1K = torch.stack([turns_2LK, turns_2LK, unturned_2LK], dim=1)[:, :, :, None]
        return replace(super().begin(x_BLD, context, room=room), table=table_23L1K)

    def placed_newest(self, qkv_3BHK: Tensor, kept: KeyValues, newest: Newest) -> Tensor:
        assert kept.table is not None, "`begin` gives it"
        cos_3B1K, sin_3B1K = kept.table[:, :, newest.place].unbind()
        swapped_3BHK = qkv_3BHK.roll(qkv_3BHK.shape[-1] // 2, dims=-1)
        return torch.addcmul(qkv_3BHK * cos_3B1K, swapped_3BHK, sin_3B1K).to(qkv_3BHK.dtype)

    def last(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """One query a row. Its turned keys have to be made: they are no product of the row with one matrix."""
        query_DD, key_DD, value_DD = self.to_qkv.weight.chunk(3)
        q_BHK = F.linear(context.last(x_BLD), query_DD).unflatten(-1, (self.num_heads, -1))
        k_BHLK, v_BHLK = (split_heads(F.linear(x_BLD, weight), self.num_heads) for weight in (key_DD, value_DD))
        q_BH1K = self.rotary(q_BHK, context.lengths_B[:, None] - 1)[:, :, None]
        k_BHLK = self.rotary(k_BHLK, context.columns(x_BLD.shape[1]))
        readable_B11L = context.valid_BL(x_BLD.shape[1])[:, None, None]
        mixed_BH1K = F.scaled_dot_product_attention(q_BH1K, k_BHLK, v_BHLK, attn_mask=readable_B11L)
        return self.to_out(mixed_BH1K.flatten(1))


class RotaryConfig(HeadsSection):
    """Each head has an even part of the width."""

    memory_order: ClassVar[float] = 1.0
    kind: Literal["rotary"] = "rotary"
    base: PositiveFloat = 10_000.0
    """The slowest pair of numbers turns once in about 2 pi times so many positions."""

    def build(self, shape: SequenceShape) -> RotaryAttention:
        return RotaryAttention(shape.dim, self.num_heads, self.base)

    def require_fit(self, dim: int) -> None:
        """ValueError where the heads cannot share `dim` evenly, in pairs of numbers."""
        super().require_fit(dim)
        if dim // self.num_heads % 2:
            raise ValueError(
                f"a rotary head needs an even width, and dim ({dim}) / mixer.num_heads ({self.num_heads}) is "
                f"{dim // self.num_heads}; change one of the two"
            )
