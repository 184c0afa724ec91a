"""What training minimises: from the hidden states at valid positions to one number, summed over them."""

from functools import partial
from typing import Annotated, Literal, Protocol, Self

from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from recsys.model.losses import smoothing_loss, softmax_loss
from recsys.model.negative_sources import UniformSource
from recsys.model.negatives import NegativeMixture, NegativeSampler
from recsys.model.retriever import Retriever
from recsys.model.sampled_losses import SampledLoss, bce_loss, gbce_beta, gbce_loss, sampled_softmax_loss
from recsys.section import Section


class Objective(Protocol):
    scores_whole_catalogue: bool
    """Whether a step reads every item's vector, so that every item's has a gradient. Else only a sample's have."""

    def __call__(self, retriever: Retriever, user_ND: Tensor, targets_N: Tensor) -> Tensor:
        """[N, D] user vectors and [N] item indices -> the loss summed over N."""


class FullSoftmax(nn.Module):
    scores_whole_catalogue = True

    def __init__(self, smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, retriever: Retriever, user_ND: Tensor, targets_N: Tensor) -> Tensor:
        items_VD = retriever.item_vectors()
        loss = softmax_loss(user_ND, items_VD, targets_N)
        return loss + smoothing_loss(user_ND, items_VD, targets_N, self.smoothing) if self.smoothing else loss


class SampledObjective(nn.Module):
    """A loss against negatives that are drawn anew for each batch; each process of several draws its own."""

    scores_whole_catalogue = False

    def __init__(self, sampler: NegativeSampler, loss: SampledLoss) -> None:
        super().__init__()
        self.sampler = sampler
        self.loss = loss

    def forward(self, retriever: Retriever, user_ND: Tensor, targets_N: Tensor) -> Tensor:
        drawn = self.sampler(targets_N)
        return self.loss(
            user_ND,
            retriever.vectors_of(targets_N),
            retriever.vectors_of(drawn.items_S),
            targets_N=targets_N,
            drawn=drawn,
        )


class FullSoftmaxConfig(Section):
    """Exact softmax over the whole catalogue, in chunks."""

    kind: Literal["softmax"] = "softmax"
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of each target's probability that is spread over the whole catalogue."""

    def build(self, counts_V: Tensor, candidates_V: Tensor) -> FullSoftmax:
        return FullSoftmax(self.label_smoothing)


class SampledSoftmaxConfig(Section):
    """Softmax over the target and a sample of the catalogue, corrected by logQ."""

    kind: Literal["sampled_softmax"] = "sampled_softmax"
    num_negatives: PositiveInt = 1024
    """Draws a batch, shared by its positions."""
    negatives: NegativeMixture = NegativeMixture(uniform=1.0)

    @model_validator(mode="after")
    def _every_source_is_drawn_from(self) -> Self:
        self.negatives.require_draws(self.num_negatives)
        return self

    def build(self, counts_V: Tensor, candidates_V: Tensor) -> SampledObjective:
        return SampledObjective(self.negatives.build(counts_V, candidates_V, self.num_negatives), sampled_softmax_loss)


class BceConfig(Section):
    """Binary cross-entropy against uniform negatives, SASRec's."""

    kind: Literal["bce"] = "bce"
    num_negatives: PositiveInt = 256
    """Draws a batch, shared by its positions."""

    def build(self, counts_V: Tensor, candidates_V: Tensor) -> SampledObjective:
        return SampledObjective(NegativeSampler([UniformSource(candidates_V, self.num_negatives)]), bce_loss)


class GbceConfig(Section):
    """BCE that undoes the overconfidence which few negatives bring, gSASRec's."""

    kind: Literal["gbce"] = "gbce"
    num_negatives: PositiveInt = 256
    """Draws a batch, shared by its positions."""
    calibration: Annotated[float, Field(ge=0.0, le=1.0)] = 0.75
    """The paper's t, from 0, which is BCE, to 1, calibrated probabilities."""

    def build(self, counts_V: Tensor, candidates_V: Tensor) -> SampledObjective:
        # draws that hit the target do not count: of every other item this many are expected
        sampling_rate = self.num_negatives / int(candidates_V.sum())
        loss = partial(gbce_loss, beta=gbce_beta(sampling_rate=sampling_rate, calibration=self.calibration))
        return SampledObjective(NegativeSampler([UniformSource(candidates_V, self.num_negatives)]), loss)


ObjectiveConfig = Annotated[
    FullSoftmaxConfig | SampledSoftmaxConfig | BceConfig | GbceConfig, Field(discriminator="kind")
]
