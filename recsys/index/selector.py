"""A selection as FAISS takes it."""

from typing import Any

import faiss

from recsys.index.selection import Chosen

# Beyond this share of the rows a bit for each of them is quicker to make than a set.
SET_SHARE = 0.01


def selector_of(chosen: Chosen) -> faiss.IDSelector:
    if len(chosen.rows) > SET_SHARE * chosen.num_rows:
        bits: Any = chosen.bits
        return faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg]  # as its stub does not know
    batch = faiss.IDSelectorBatch(chosen.rows)
    return batch if chosen.is_allowed else faiss.IDSelectorNot(batch)
