"""What a ranker learns from its logits and their labels: `ranker.training.objective`."""

from typing import Annotated, ClassVar, Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from recsys.section import Section


class BceConfig(Section):
    """Binary cross-entropy: each candidate for itself. Logits are those of probabilities."""

    kind: Literal["bce"] = "bce"
    metric: ClassVar[Literal["AUC", "GAUC"]] = "AUC"
    """What validates it."""
    is_calibrated: ClassVar[bool] = True
    """Whether a logit says how probable a click is."""

    def loss(self, logits_HC: Tensor, labels_HC: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits_HC, labels_HC)


class ListConfig(Section):
    """Cross-entropy of the clicked among the candidates of its moment. Logits compare within a moment alone."""

    kind: Literal["softmax"] = "softmax"
    metric: ClassVar[Literal["AUC", "GAUC"]] = "GAUC"
    is_calibrated: ClassVar[bool] = False

    def loss(self, logits_HC: Tensor, labels_HC: Tensor) -> Tensor:
        return -(labels_HC * logits_HC.log_softmax(dim=-1)).sum() / labels_HC.sum()


RankerObjective = Annotated[BceConfig | ListConfig, Field(discriminator="kind")]
