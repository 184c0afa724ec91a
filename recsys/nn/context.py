"""What a sequence mixer may know about a batch besides its hidden states.

Shape letters of this package: B batch, L positions, D model width, H heads, K width of a head, F hidden width of a
feed-forward.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SequenceContext:
    """Histories lie left-aligned: row b is real on [0, lengths_B[b]) and padding behind.

    Under causality no real position can see the padding behind it, so causal mixers need no mask at all.
    """

    lengths_B: Tensor
    times_BL: Tensor | None = None
    causal: bool = True

    def valid_BL(self, length: int) -> Tensor:
        """True where a position holds a click."""
        return torch.arange(length, device=self.lengths_B.device) < self.lengths_B[:, None]

    def last(self, x_BLD: Tensor) -> Tensor:
        """[B, D]: what stands at each row's last click. Every length is at least 1."""
        rows_B = torch.arange(len(self.lengths_B), device=self.lengths_B.device)
        return x_BLD[rows_B, self.lengths_B - 1]

    def readable_BLL(self, length: int) -> Tensor:
        """Which positions (last axis) each position may read; every position may read itself, so no row is empty."""
        valid_BL = self.valid_BL(length)
        own_LL = torch.eye(length, dtype=torch.bool, device=valid_BL.device)
        readable_BLL = valid_BL[:, None, :] | own_LL
        return readable_BLL.tril() if self.causal else readable_BLL
