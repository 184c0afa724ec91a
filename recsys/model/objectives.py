"""What training minimises: from the hidden states at valid positions to one number, summed over them."""

from typing import Annotated, Literal, Protocol

from pydantic import Field, PositiveInt
from torch import Tensor, nn

from recsys.model.losses import sampled_softmax_loss, softmax_loss
from recsys.model.negatives import NegativeSampler
from recsys.model.retriever import Retriever
from recsys.section import Section


class Objective(Protocol):
    def __call__(self, retriever: Retriever, user_ND: Tensor, targets_N: Tensor) -> Tensor:
        """[N, D] user vectors and [N] item indices -> the loss summed over N."""


class FullSoftmax(nn.Module):
    def forward(self, retriever: Retriever, user_ND: Tensor, targets_N: Tensor) -> Tensor:
        return softmax_loss(user_ND, retriever.item_vectors(), targets_N)


class SampledSoftmax(nn.Module):
    def __init__(self, sampler: NegativeSampler) -> None:
        super().__init__()
        self.sampler = sampler

    def forward(self, retriever: Retriever, user_ND: Tensor, targets_N: Tensor) -> Tensor:
        negatives = self.sampler()
        return sampled_softmax_loss(
            user_ND,
            retriever.vectors_of(targets_N),
            retriever.vectors_of(negatives.items_S),
            log_expected_S=negatives.log_expected_S,
            hits_NS=targets_N[:, None] == negatives.items_S,
        )


class FullSoftmaxConfig(Section):
    """Exact softmax over the whole catalogue, in chunks."""

    kind: Literal["softmax"] = "softmax"

    def build(self, counts_V: Tensor, candidates_V: Tensor) -> FullSoftmax:  # noqa: ARG002 - the objectives' one contract
        return FullSoftmax()


class SampledSoftmaxConfig(Section):
    """Softmax over the target and a sample of the catalogue, corrected by logQ."""

    kind: Literal["sampled_softmax"] = "sampled_softmax"
    num_negatives: PositiveInt = 1024
    """Draws a batch, shared by its positions."""
    distribution: Literal["uniform", "popularity"] = "uniform"
    """What negatives are drawn from: all candidates alike, or as often as they were clicked in training."""

    def build(self, counts_V: Tensor, candidates_V: Tensor) -> SampledSoftmax:
        weights_V = candidates_V if self.distribution == "uniform" else counts_V * candidates_V
        return SampledSoftmax(NegativeSampler(weights_V, self.num_negatives))


ObjectiveConfig = Annotated[FullSoftmaxConfig | SampledSoftmaxConfig, Field(discriminator="kind")]
