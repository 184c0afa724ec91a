"""Transformer-XL's attention (Dai et al. 2019, https://arxiv.org/abs/1901.02860): relative positions, and a memory.

R distances, in falling order.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import NonNegativeInt
from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.attention import merge_heads, split_heads
from recsys.nn.mixers.cache import KeyValues, Newest
from recsys.nn.mixers.mixer import PaddedMixer
from recsys.nn.mixers.mixer_config import HeadsSection
from recsys.nn.shape import SequenceShape
from recsys.nn.sinusoids import sinusoids


def rel_shift(x_LR: Tensor) -> Tensor:
    """[..., L, R] -> [..., L, R]: row i moved to the left by L - 1 - i, without a gather.

    Column r is the r-th farthest distance, and becomes the r-th position. What comes in from the right is the next
    row's, and stands where row i may not read.
    """
    length, width = x_LR.shape[-2:]
    return F.pad(x_LR, (1, 0)).flatten(-2)[..., length:].unflatten(-1, (length, width))


class TransformerXl(PaddedMixer):
    """Scores q.k + q.Wr + u.k + v.Wr, with r the sinusoids of how far apart query and key stand.

    u and v, a vector a head each, are how much a key and a distance count whatever the query: nothing at first.
    """

    reads_memory = True

    def __init__(self, dim: int, num_heads: int, memory: int) -> None:
        super().__init__()
        self.num_heads, self.memory = num_heads, memory
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_kv = nn.Linear(dim, 2 * dim, bias=False)
        self.to_r = nn.Linear(dim, dim, bias=False)
        self.u_HK = nn.Parameter(torch.zeros(num_heads, dim // num_heads))
        self.v_HK = nn.Parameter(torch.zeros(num_heads, dim // num_heads))
        self.to_out = nn.Linear(dim, dim, bias=False)

    def mixed(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        length, num_sources = x_BLD.shape[1], context.memory_size + x_BLD.shape[1]
        q_BHLK = split_heads(self.to_q(x_BLD), self.num_heads)
        k_BHSK, v_BHSK = self._keys_values(context.with_memory(x_BLD))
        nearest = 0 if context.causal else 1 - length
        distances_R = torch.arange(num_sources - 1, nearest - 1, -1, device=x_BLD.device)
        by_distance_BHLR = (q_BHLK + self.v_HK[:, None]) @ self._r_HRK(distances_R).mT
        by_place_BHLS = rel_shift(by_distance_BHLR)[..., :num_sources] * q_BHLK.shape[-1] ** -0.5
        bias_BHLS = by_place_BHLS.masked_fill(~context.readable_BLS(length)[:, None], float("-inf"))
        mixed = F.scaled_dot_product_attention(q_BHLK + self.u_HK[:, None], k_BHSK, v_BHSK, attn_mask=bias_BHLS)
        return self.to_out(merge_heads(mixed))

    def last(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """One query a row, which reads everything real before it."""
        q_BHK = self._heads(self.to_q(context.last(x_BLD)))
        k_BHSK, v_BHSK = self._keys_values(context.with_memory(x_BLD))
        sources_S = torch.arange(k_BHSK.shape[2], device=x_BLD.device)
        distances_BS = (context.memory_size + context.lengths_B[:, None] - 1 - sources_S).clamp(min=0)
        valid_BS = context.valid_BL(x_BLD.shape[1])
        if context.memory is not None:
            valid_BS = torch.cat([context.memory.valid_BM, valid_BS], dim=1)
        bias_BHS = self._placed(q_BHK, self._r_HRK(sources_S), distances_BS)
        return self._one(q_BHK, k_BHSK, v_BHSK, bias_BHS.masked_fill(~valid_BS[:, None], float("-inf")))

    def begin(self, x_BLD: Tensor, context: SequenceContext, *, room: int) -> KeyValues:
        """What is kept of the rows, with room for so many positions each."""
        table_HLK = self._r_HRK(torch.arange(room, device=x_BLD.device))
        return KeyValues.of(*self._keys_values(x_BLD), room=room, table=table_HLK)

    def step(self, x_BD: Tensor, kept: KeyValues, newest: Newest) -> Tensor:
        """[B, D]: `forward` at one more position of each row, which is appended to what is kept."""
        assert kept.table is not None, "`begin` gives it"
        q_BHK = self._heads(self.to_q(x_BD))
        kv_2BHK = self.to_kv(x_BD).view(len(x_BD), 2, self.num_heads, -1).transpose(0, 1)
        k_BHSK, v_BHSK = kept.append(kv_2BHK, newest)
        bias_BHS = self._placed(q_BHK, kept.table[:, : newest.num_positions], newest.distances_BS)
        if newest.readable_BS is not None:
            bias_BHS = bias_BHS.masked_fill(~newest.readable_BS[:, None], float("-inf"))
        return self._one(q_BHK, k_BHSK, v_BHSK, bias_BHS)

    def _placed(self, q_BHK: Tensor, r_HSK: Tensor, distances_BS: Tensor) -> Tensor:
        """(q + v).Wr of one query a row, as scores are scaled; r of distance 0 comes first."""
        by_distance_BHS = ((q_BHK + self.v_HK)[:, :, None] @ r_HSK.mT)[:, :, 0] * q_BHK.shape[-1] ** -0.5
        return by_distance_BHS.gather(2, distances_BS[:, None].expand(-1, self.num_heads, -1))

    def _one(self, q_BHK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, bias_BHS: Tensor) -> Tensor:
        q_BH1K, bias_BH1S = (q_BHK + self.u_HK)[:, :, None], bias_BHS[:, :, None]
        mixed_BH1K = F.scaled_dot_product_attention(q_BH1K, k_BHSK, v_BHSK, attn_mask=bias_BH1S)
        return self.to_out(mixed_BH1K.flatten(1))

    def _keys_values(self, x_BSD: Tensor) -> tuple[Tensor, Tensor]:
        k_BSD, v_BSD = self.to_kv(x_BSD).chunk(2, dim=-1)
        return split_heads(k_BSD, self.num_heads), split_heads(v_BSD, self.num_heads)

    def _r_HRK(self, distances_R: Tensor) -> Tensor:
        weight_DD = self.to_r.weight
        r_RD = self.to_r(sinusoids(distances_R, weight_DD.shape[1], weight_DD.dtype))
        return r_RD.unflatten(-1, (self.num_heads, -1)).transpose(0, 1)

    def _heads(self, x_BD: Tensor) -> Tensor:
        return x_BD.unflatten(-1, (self.num_heads, -1))


class TransformerXlConfig(HeadsSection):
    kind: Literal["transformer_xl"] = "transformer_xl"
    memory: NonNegativeInt = 200
    """How many earlier positions are kept for the next segment, in each block, where a history is read in segments: by
    `recsys.nn.segments`, from Python. No command does."""

    def build(self, shape: SequenceShape) -> TransformerXl:
        return TransformerXl(shape.dim, self.num_heads, self.memory)
