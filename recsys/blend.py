"""How the scores of both stages become one."""

import torch
from pydantic import Field
from torch import Tensor

from recsys.section import Section


class Blend(Section):
    """(1 - w) * the retriever's score + w * the ranker's logit: two estimates of log p(item | user), each but for a
    constant, so this is the logarithm of a weighted geometric mean of their probabilities."""

    weight: float = Field(ge=0.0, le=1.0)
    """Of the ranker: 1 is its order alone, 0 the retriever's."""

    def __call__(self, scores: Tensor, logits: Tensor) -> Tensor:
        """Of items, whatever the shape. An item that is none (-inf) has no meaning here."""
        return torch.lerp(scores, logits, self.weight)
