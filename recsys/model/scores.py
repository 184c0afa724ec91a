"""How a user and an item vector make a score: always an inner product, so what is trained is what is searched."""

from typing import Annotated, Literal

import torch.nn.functional as F
from pydantic import Field, PositiveFloat
from torch import Tensor, nn

from recsys.section import Section


class DotScore(nn.Module):
    """user . item"""

    def user(self, hidden: Tensor) -> Tensor:
        return hidden

    def item(self, vectors: Tensor) -> Tensor:
        return vectors


class CosineScore(nn.Module):
    """cos(user, item) / temperature, the temperature folded into the user's side."""

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def user(self, hidden: Tensor) -> Tensor:
        return F.normalize(hidden, dim=-1) / self.temperature

    def item(self, vectors: Tensor) -> Tensor:
        return F.normalize(vectors, dim=-1)


class DotConfig(Section):
    kind: Literal["dot"] = "dot"

    def build(self) -> DotScore:
        return DotScore()


class CosineConfig(Section):
    kind: Literal["cosine"] = "cosine"
    temperature: PositiveFloat = 0.05

    def build(self) -> CosineScore:
        return CosineScore(self.temperature)


ScoreConfig = Annotated[DotConfig | CosineConfig, Field(discriminator="kind")]
