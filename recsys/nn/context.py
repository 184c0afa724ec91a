"""What a sequence mixer may know about a batch besides its hidden states.

Shape letters of this package: B batch, L positions, D model width, H heads, K width of a head, F hidden width of a
feed-forward, M remembered positions, S = M + L positions that may be read.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys.nn.memory import Memory


@dataclass(frozen=True)
class Packing:
    """Rows laid one behind the other without padding, [N, D] in the place of [B, L, D].

    Row b is x_ND[offsets_B1[b] : offsets_B1[b + 1]]. Position n stands at `positions_N[n]` of [B * L], with L `width`.
    """

    offsets_B1: Tensor
    positions_N: Tensor
    width: int

    @classmethod
    def of(cls, lengths_B: Tensor, positions_N: Tensor, width: int) -> "Packing":
        return cls(F.pad(lengths_B.cumsum(0), (1, 0)).int(), positions_N, width)

    @property
    def columns_N(self) -> Tensor:
        """Where in its row each position stands."""
        return self.positions_N % self.width

    def pack(self, x_BL: Tensor) -> Tensor:
        """[B, L, ...] -> [N, ...]"""
        return x_BL.flatten(0, 1).index_select(0, self.positions_N)

    def unpack(self, x_N: Tensor) -> Tensor:
        """[N, ...] -> [B, L, ...], zero where there is padding."""
        shape = (len(self.offsets_B1) - 1, self.width)
        flat = x_N.new_zeros(shape[0] * shape[1], *x_N.shape[1:])
        return flat.index_copy(0, self.positions_N, x_N).unflatten(0, shape)


@dataclass(frozen=True)
class SequenceContext:
    """Histories lie left-aligned: row b is real on [0, lengths_B[b]) and padding behind.

    Under causality no real position can see the padding behind it, so causal mixers need no mask at all.
    With a `packing` there is no padding, and what would be [B, L, D] is [N, D].

    `times_BL` say when clicks happened, and `asked_BL`, at each click, for which moment the next one is predicted: the
    next click's own time in a history, and the time of the request behind its last click. Rows that are `untold_B1` are
    read as if they had no times. `memory` is what went before the rows, for mixers that read memory.
    """

    lengths_B: Tensor
    times_BL: Tensor | None = None
    asked_BL: Tensor | None = None
    causal: bool = True
    packing: Packing | None = None
    untold_B1: Tensor | None = None
    memory: Memory | None = None

    def valid_BL(self, length: int) -> Tensor:
        """True where a position holds a click."""
        return self.columns(length) < self.lengths_B[:, None]

    def columns(self, length: int) -> Tensor:
        """[L]: 0, 1, 2 ..."""
        return torch.arange(length, device=self.lengths_B.device)

    def clicks_behind(self, length: int) -> Tensor:
        """[B, L], or [N] of packed rows: how many clicks of its row stand behind each position; 0 at padding."""
        columns_L = self.columns(length if self.packing is None else self.packing.width)
        behind_BL = (self.lengths_B[:, None] - 1 - columns_L).clamp(min=0)
        return behind_BL if self.packing is None else self.packing.pack(behind_BL)

    def last(self, x_BLD: Tensor) -> Tensor:
        """[B, D]: what stands at each row's last click. Every length is at least 1."""
        rows_B = torch.arange(len(self.lengths_B), device=self.lengths_B.device)
        return x_BLD[rows_B, self.lengths_B - 1]

    def before_last(self, x_BLD: Tensor, steps_W: Tensor) -> tuple[Tensor, Tensor]:
        """[B, W, D] what stands so many steps before each row's last click, and [B, W] whether anything does."""
        places_BW = self.lengths_B[:, None] - 1 - steps_W
        rows_B1 = torch.arange(len(self.lengths_B), device=self.lengths_B.device)[:, None]
        return x_BLD[rows_B1, places_BW.clamp(min=0)], places_BW >= 0

    def readable_BLL(self, length: int) -> Tensor:
        """Which positions (last axis) each position may read; every position may read itself, so no row is empty."""
        valid_BL = self.valid_BL(length)
        own_LL = torch.eye(length, dtype=torch.bool, device=valid_BL.device)
        readable_BLL = valid_BL[:, None, :] | own_LL
        return readable_BLL.tril() if self.causal else readable_BLL

    @property
    def memory_size(self) -> int:
        """M, 0 where nothing is remembered."""
        return 0 if self.memory is None else self.memory.size

    def with_memory(self, x_BLD: Tensor) -> Tensor:
        """[B, S, D]: the rows behind what is remembered."""
        return x_BLD if self.memory is None else self.memory.before(x_BLD)

    def distances_LS(self, length: int) -> Tensor:
        """How many places before each position (rows) everything that it might read stands; negative where behind."""
        sources_S = torch.arange(self.memory_size + length, device=self.lengths_B.device)
        return self.memory_size + self.columns(length)[:, None] - sources_S

    def readable_BLS(self, length: int) -> Tensor:
        """`readable_BLL`, and what is remembered before it: that, every position may read."""
        readable_BLL = self.readable_BLL(length)
        if self.memory is None:
            return readable_BLL
        return torch.cat([self.memory.valid_BM[:, None].expand(-1, length, -1), readable_BLL], dim=-1)
