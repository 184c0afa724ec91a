"""Where a ranker's item embeddings may begin: at the retriever's item vectors."""

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys.model.retriever import Retriever

LENGTH = 0.1


@torch.no_grad()
def initial_items(retriever: Retriever, dim: int) -> Tensor:
    """[items + 1, dim]: the item vectors, or their first `dim` principal components where they are wider.

    A vector has LENGTH on average: long enough to tell, short enough to be moved. Row 0 is nothing.
    """
    vectors_VD = retriever.eval().item_vectors().detach().float().cpu()
    known_VD = vectors_VD[1:]
    if dim < known_VD.shape[1]:
        centred_VD = known_VD - known_VD.mean(dim=0)
        _, axes_DD = torch.linalg.eigh(centred_VD.T @ centred_VD)
        known_VD = centred_VD @ axes_DD[:, -dim:].flip(1)
    missing = max(0, dim - known_VD.shape[1])
    return F.pad(known_VD * (LENGTH / known_VD.norm(dim=1).mean().clamp(min=1e-6)), (0, missing, 1, 0))
