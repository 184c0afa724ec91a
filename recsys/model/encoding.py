"""Many histories to user vectors, a token budget at a time. What inference, validation and evaluation share."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys.data.batches import gather_padded, length_buckets
from recsys.data.histories import Histories
from recsys.model.retriever import Retriever

Int64 = NDArray[np.int64]
T = TypeVar("T", bound=np.generic)
# On the CPU a batch's activations stay in cache; on a GPU it has to keep every core busy.
BATCH_TOKENS = {"cpu": 1 << 12, "cuda": 1 << 16}


@dataclass(frozen=True)
class Pasts:
    """What the model reads of each user: items[starts[n] : starts[n] + lengths[n]], oldest first; 0 is nothing.

    `times` are those of `items`, and `asked` the moment each user is asked about; None where they are not known.
    """

    items: NDArray[np.int32]
    times: Int64 | None
    starts: Int64
    lengths: Int64
    asked: Int64 | None = None

    def __len__(self) -> int:
        return len(self.starts)


@dataclass(frozen=True)
class Readable:
    """Stretches of the clicks that are `kept`; None where all of them are."""

    kept: NDArray[np.bool_] | None
    starts: Int64
    lengths: Int64

    @classmethod
    def of(
        cls, histories: Histories, users: Int64, ends: Int64, *, max_length: int, known_V: NDArray[np.bool_]
    ) -> "Readable":
        """Each user's last `max_length` clicks on known items before the one at position `ends`."""
        begins = np.asarray(histories.offsets)[users]
        if known_V[1:].all():
            starts = np.maximum(begins, ends - max_length)
            return cls(None, starts, ends - starts)
        # a known click's place among the known ones is a prefix sum, so skipping costs one pass and no loop
        kept = known_V[histories.items]
        before = np.concatenate([[0], np.cumsum(kept)])
        starts = np.maximum(before[begins], before[ends] - max_length)
        return cls(kept, starts, before[ends] - starts)

    def columns(self, values: NDArray[T]) -> NDArray[T]:
        """[clicks, ...] values in whose stretches the clicks lie; a copy only where some are skipped."""
        return values if self.kept is None else np.asarray(values)[self.kept]


def recent_pasts(
    histories: Histories,
    users: Int64,
    ends: Int64,
    *,
    max_length: int,
    known_V: NDArray[np.bool_],
    reads_times: bool = False,
) -> Pasts:
    """Each user's last `max_length` clicks before the one at position `ends`; clicks outside `known_V` are skipped.

    Their times, and those at `ends`, come along only for a model that reads times: to skip clicks is to copy the log's.
    """
    found = Readable.of(histories, users, ends, max_length=max_length, known_V=known_V)
    times = found.columns(histories.times) if reads_times else None
    asked = np.asarray(histories.times[ends]) if reads_times else None
    return Pasts(found.columns(histories.items), times, found.starts, found.lengths, asked)


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
        items_BL = gather_padded(pasts.items, pasts.starts[chosen], pasts.lengths[chosen])
        lengths_B = torch.from_numpy(pasts.lengths[chosen])
        times = _times(pasts, chosen) if retriever.config.reads_times else ()
        hidden_BD = retriever.user_vectors(*(tensor.to(device) for tensor in (items_BL, lengths_B, *times)))
        vectors_ND[torch.from_numpy(chosen).to(device)] = hidden_BD.float()
    return vectors_ND


def _times(pasts: Pasts, chosen: Int64) -> tuple[Tensor, ...]:
    """[B, L] when the clicks happened, and what is asked behind each, as far as they are known."""
    if pasts.times is None:
        return ()
    times_BL = gather_padded(pasts.times, pasts.starts[chosen], pasts.lengths[chosen])
    if pasts.asked is None:
        return (times_BL,)
    last_B1 = torch.from_numpy(pasts.lengths[chosen] - 1)[:, None]
    asked_B1 = torch.from_numpy(pasts.asked[chosen])[:, None]
    return times_BL, times_BL.roll(-1, dims=1).scatter(1, last_B1, asked_B1)
