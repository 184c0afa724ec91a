"""Many histories to user vectors, a token budget at a time. What inference, validation and evaluation share."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys.data.batches import gather_padded, length_buckets
from recsys.data.histories import Histories
from recsys.model.retriever import Retriever

Int64 = NDArray[np.int64]
# On the CPU a batch's activations stay in cache; on a GPU it has to keep every core busy.
BATCH_TOKENS = {"cpu": 1 << 12, "cuda": 1 << 16}


@dataclass(frozen=True)
class Pasts:
    """What the model reads of each user: items[starts[n] : starts[n] + lengths[n]], oldest first; 0 is nothing.

    `times` are those of `items`; None where they are not known.
    """

    items: NDArray[np.int32]
    times: Int64 | None
    starts: Int64
    lengths: Int64

    def __len__(self) -> int:
        return len(self.starts)


def recent_pasts(
    histories: Histories,
    users: Int64,
    ends: Int64,
    *,
    max_length: int,
    known_V: NDArray[np.bool_],
    reads_times: bool = False,
) -> Pasts:
    """Each user's last `max_length` clicks before position `ends`; clicks outside `known_V` are skipped.

    Their times come along only for a model that reads them: to skip clicks is to copy the log's.
    """
    times = histories.times if reads_times else None
    begins = np.asarray(histories.offsets)[users]
    if known_V[1:].all():
        starts = np.maximum(begins, ends - max_length)
        return Pasts(histories.items, times, starts, ends - starts)
    # a known click's place among the known ones is a prefix sum, so skipping costs one pass and no loop
    known = known_V[histories.items]
    before = np.concatenate([[0], np.cumsum(known)])
    starts = np.maximum(before[begins], before[ends] - max_length)
    return Pasts(
        np.asarray(histories.items)[known], None if times is None else times[known], starts, before[ends] - starts
    )


@torch.inference_mode()
def encode_pasts(retriever: Retriever, pasts: Pasts, *, batch_tokens: int | None = None) -> Tensor:
    """[N, D] user vectors on the retriever's device, in the order of `pasts`; zero where there is nothing to read.

    The retriever should be in evaluation mode.
    """
    device = next(retriever.parameters()).device
    vectors_ND = torch.zeros(len(pasts), retriever.config.dim, device=device)
    order = np.argsort(pasts.lengths, kind="stable")
    order = order[pasts.lengths[order] > 0]
    for rows in length_buckets(pasts.lengths[order], batch_tokens or BATCH_TOKENS[device.type]):
        chosen = order[rows]
        lengths = pasts.lengths[chosen]
        items_BL = gather_padded(pasts.items, pasts.starts[chosen], lengths).to(device)
        times_BL = None
        if pasts.times is not None and retriever.config.reads_times:
            times_BL = gather_padded(pasts.times, pasts.starts[chosen], lengths).to(device)
        hidden_BD = retriever.user_vectors(items_BL, torch.from_numpy(lengths).to(device), times_BL)
        vectors_ND[torch.from_numpy(chosen).to(device)] = hidden_BD.float()
    return vectors_ND
