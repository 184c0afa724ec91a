"""How what both stages say of an item becomes one score."""

import torch
from pydantic import Field
from torch import Tensor

from recsys.section import Section


class Blend(Section):
    """(1 - w) * the retriever's score + w * the ranker's logit + c * the logarithm of how often the item followed.

    All three are estimates of log p(item | user), each but for a constant, so this is the logarithm of a weighted
    geometric mean of their probabilities.
    """

    weight: float = Field(ge=0.0, le=1.0)
    """w, of the ranker: 1 is its order alone, 0 the retriever's."""
    covisitation: float = Field(default=0.0, ge=0.0)
    """c, for a ranker that counts what followed what; beside what its own logit makes of that."""

    def __call__(self, scores: Tensor, logits: Tensor, followed: Tensor) -> Tensor:
        """Of items, whatever the shape. An item that is none (-inf) has no meaning here."""
        return torch.lerp(scores, logits, self.weight) + self.covisitation * followed
