"""Normalisation of each position on its own; statistics over time would leak the future and the padding."""

from typing import Literal

from torch import nn

NormKind = Literal["layer", "rms"]


def build_norm(kind: NormKind, dim: int) -> nn.Module:
    """LayerNorm (Ba et al. 2016) or RMSNorm (Zhang & Sennrich 2019), both over the last axis."""
    return {"layer": nn.LayerNorm, "rms": nn.RMSNorm}[kind](dim)
