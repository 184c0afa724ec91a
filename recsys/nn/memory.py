"""What went before a row, kept so that the next one may read it. Handed in and out: no module remembers anything."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Memory:
    """The last M positions before each row, the newest rightmost; row b's are real on [M - lengths_B[b], M).

    So a memory and the left-aligned row behind it lie without a gap. No gradient reaches what is remembered.
    """

    states_BMD: Tensor
    lengths_B: Tensor

    @classmethod
    def empty(cls, x_BLD: Tensor) -> "Memory":
        """Nothing went before these rows."""
        return cls(x_BLD.new_zeros(len(x_BLD), 0, x_BLD.shape[2]), torch.zeros_like(x_BLD[:, 0, 0], dtype=torch.int64))

    @property
    def size(self) -> int:
        """M, padding included."""
        return self.states_BMD.shape[1]

    @property
    def valid_BM(self) -> Tensor:
        """True where something is remembered."""
        columns_M = torch.arange(self.size, device=self.lengths_B.device)
        return columns_M >= self.size - self.lengths_B[:, None]

    def before(self, x_BLD: Tensor) -> Tensor:
        """[B, M + L, D]"""
        return torch.cat([self.states_BMD, x_BLD], dim=1)

    def extended(self, x_BLD: Tensor, lengths_B: Tensor, *, size: int) -> "Memory":
        """The last `size` real positions of each memory with the row behind it."""
        known_B = (self.lengths_B + lengths_B).clamp(max=size)
        newest_M = torch.arange(size, device=lengths_B.device)
        columns_BM = (self.size + lengths_B[:, None] - size + newest_M).clamp(min=0)
        states_BMD = self.before(x_BLD.detach()).gather(1, columns_BM[..., None].expand(-1, -1, x_BLD.shape[2]))
        forgotten_BM1 = (newest_M < size - known_B[:, None])[..., None]
        return Memory(states_BMD.masked_fill(forgotten_BM1, 0.0), known_B)
