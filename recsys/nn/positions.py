"""Where in its window a click stands."""

import torch
from torch import Tensor, nn


class LearnedPositions(nn.Module):
    """One learned vector per position, counted from the window's start.

    Counting from the start keeps `encode(h)[t] == encode(h[: t + 1])[t]`: a later click moves no earlier position.
    """

    def __init__(self, max_length: int, dim: int) -> None:
        super().__init__()
        self.table_LD = nn.Parameter(torch.randn(max_length, dim) * dim**-0.5)

    def forward(self, x_BLD: Tensor) -> Tensor:
        return x_BLD + self.table_LD[: x_BLD.shape[1]]

    def packed(self, x_ND: Tensor, columns_N: Tensor) -> Tensor:
        """The same of positions that say where they stand."""
        return x_ND + self.table_LD.index_select(0, columns_N)
