"""Dropout (Srivastava et al. 2014) whose mask costs a quarter of a random draw an element on the CPU."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# One 64-bit draw holds four numbers of 16 bits, each of which decides about one element.
LEVELS = 1 << 16


def dropout_mask(like: Tensor, p: float) -> Tensor:
    """0 with probability p, else 1 / (1 - p), of the same shape and type; p is met to the nearest 1 / 65,536.

    The scale is that of the p which is met, so the mean is exactly 1.
    """
    num_dropped = min(round(p * LEVELS), LEVELS - 1)
    draws = torch.empty(-(-like.numel() // 4), dtype=torch.int64, device=like.device)
    # over the whole range: torch's default leaves the sign bit out
    draws.random_(torch.iinfo(torch.int64).min, None)
    levels = draws.view(torch.int16)[: like.numel()].view(like.shape)
    kept = levels >= num_dropped - LEVELS // 2
    return kept.to(like.dtype).mul_(LEVELS / (LEVELS - num_dropped))


class Dropout(nn.Module):
    """Zeroes each element with probability p while training, and scales the others to keep the mean."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or not self.training or self.p == 0.0:
            return F.dropout(x, self.p, self.training)
        return x * dropout_mask(x, self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"
