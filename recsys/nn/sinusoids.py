"""Waves of a place: what positions add to a click, and what distances are to Transformer-XL."""

import torch
from torch import Tensor

BASE = 10_000.0


def sinusoids(places_L: Tensor, dim: int, dtype: torch.dtype) -> Tensor:
    """[L] -> [L, D]: a sine and a cosine of t / base^(2 j / D) for each j, in turns (Vaswani et al. 2017,
    https://arxiv.org/abs/1706.03762); an odd width leaves the last sine alone."""
    frequencies_J = BASE ** -(torch.arange(0, dim, 2, dtype=torch.float64, device=places_L.device) / dim)
    angles_LJ = places_L[:, None] * frequencies_J
    return torch.stack([angles_LJ.sin(), angles_LJ.cos()], dim=-1).flatten(1)[:, :dim].to(dtype)
