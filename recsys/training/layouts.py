"""How a batch lies while it is encoded: padded to its longest row, or packed. Either gives [N, D] at its clicks."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor

from recsys.data.batches import SequenceBatch
from recsys.model.retriever import Retriever

Layout = Callable[[Retriever, SequenceBatch], Tensor]
LayoutKind = Literal["padded", "packed"]


def padded(retriever: Retriever, batch: SequenceBatch) -> Tensor:
    return batch.without_padding(retriever.encode(batch.items_BL, batch.lengths_B, batch.times_BL, batch.asked_BL))


def packed(retriever: Retriever, batch: SequenceBatch) -> Tensor:
    return retriever.encode_packed(
        batch.without_padding(batch.items_BL),
        batch.lengths_B,
        batch.times_BL,
        batch.asked_BL,
        positions_N=batch.positions_N,
        width=batch.items_BL.shape[1],
    )


LAYOUTS: dict[LayoutKind, Layout] = {"padded": padded, "packed": packed}
