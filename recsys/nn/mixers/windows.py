"""Attention of a bounded reach, in blocks that meet what is near them: O(L W) time and memory, no [L, L].

A row's C blocks of W positions lie one behind the other, N = B C in all; S positions that a block may read.
"""

from abc import abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.attention import merge_heads, split_heads
from recsys.nn.mixers.mixer import PaddedMixer


@dataclass(frozen=True)
class Windows:
    """Rows of `length` in blocks of `width`, each with so many positions `before` it and `after` it.

    Two positions are near if less than `width` apart. The last block is filled up, and nothing is real outside a row.
    """

    length: int
    width: int
    before: int
    after: int

    @classmethod
    def within(cls, length: int, *, reach: int, causal: bool) -> "Windows":
        """Each position meets at least all that are at most so many places off, and not behind it if causal."""
        reach = min(reach, length - 1)
        return cls(length, reach + 1, reach, 0 if causal else reach)

    def blocks(self, x_BLD: Tensor) -> Tensor:
        """[N, W, D]"""
        return F.pad(x_BLD, (0, 0, 0, self._missing)).unflatten(1, (-1, self.width)).flatten(0, 1)

    def neighbours(self, x_BLD: Tensor) -> Tensor:
        """[N, S, D]: each block with what stands before and after it."""
        padded_BLD = F.pad(x_BLD, (0, 0, self.before, self._missing + self.after))
        return padded_BLD.unfold(1, self.before + self.width + self.after, self.width).mT.flatten(0, 1)

    def joined(self, x_NWD: Tensor) -> Tensor:
        """[B, L, D]"""
        num_rows = len(x_NWD) // self.num_blocks
        return x_NWD.unflatten(0, (num_rows, self.num_blocks)).flatten(1, 2)[:, : self.length]

    @property
    def num_blocks(self) -> int:
        """C, of a row."""
        return (self.length + self._missing) // self.width

    def distances_WS(self, device: torch.device) -> Tensor:
        """How many places before each position of a block its neighbours stand; negative where behind."""
        sources_S = torch.arange(self.before + self.width + self.after, device=device)
        return self.before + torch.arange(self.width, device=device)[:, None] - sources_S

    def readable_NWS(self, valid_BL: Tensor, *, causal: bool) -> Tensor:
        """Which near positions each position may read; every position may read itself."""
        distances_WS = self.distances_WS(valid_BL.device)
        valid_N1S = self.neighbours(valid_BL[..., None]).mT
        readable_NWS = valid_N1S & (distances_WS.abs() < self.width) | (distances_WS == 0)
        return readable_NWS & (distances_WS >= 0) if causal else readable_NWS

    @property
    def _missing(self) -> int:
        return -self.length % self.width


class WindowAttention(PaddedMixer):
    """Softmax attention to what is at most `reach` places off."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.to_qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.to_out = nn.Linear(dim, dim, bias=False)

    @property
    @abstractmethod
    def reach(self) -> int:
        """How far off what is read may stand."""

    @abstractmethod
    def mask(self, distances_WS: Tensor, readable_NWS: Tensor) -> Tensor:
        """What is added to the scores, [N, H, W, S], or, as booleans, what is read, [N, 1, W, S]."""

    def mixed(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        windows = Windows.within(x_BLD.shape[1], reach=self.reach, causal=context.causal)
        q_BLD, kv_BLE = self.to_qkv(x_BLD).split([x_BLD.shape[-1], 2 * x_BLD.shape[-1]], dim=-1)
        readable_NWS = windows.readable_NWS(context.valid_BL(x_BLD.shape[1]), causal=context.causal)
        mask = self.mask(windows.distances_WS(x_BLD.device), readable_NWS)
        return windows.joined(self._attended(windows.blocks(q_BLD), windows.neighbours(kv_BLE), mask))

    def last(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        """What the last click reads, no more: O(W D^2) a row. Nothing real stands behind it."""
        distances_S = torch.arange(min(self.reach, x_BLD.shape[1] - 1), -1, -1, device=x_BLD.device)
        read_BSD, is_there_BS = context.before_last(x_BLD, distances_S)
        query_DD, rest_ED = self.to_qkv.weight.split([x_BLD.shape[-1], 2 * x_BLD.shape[-1]])
        mask = self.mask(distances_S[None], is_there_BS[:, None])
        return self._attended(F.linear(read_BSD[:, -1:], query_DD), F.linear(read_BSD, rest_ED), mask).squeeze(1)

    def _attended(self, q_NWD: Tensor, kv_NSE: Tensor, mask_NHWS: Tensor) -> Tensor:
        """[N, W, D]"""
        q, k, v = (split_heads(part, self.num_heads) for part in (q_NWD, *kv_NSE.chunk(2, dim=-1)))
        return self.to_out(merge_heads(F.scaled_dot_product_attention(q, k, v, attn_mask=mask_NHWS)))
