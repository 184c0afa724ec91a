"""A selection as FAISS takes it."""

from typing import Any

import faiss
import numpy as np

from recsys.index.selection import Selection

# Beyond this share of the rows a bit for each of them is quicker to make than a set.
SET_SHARE = 0.01


def selector_of(selection: Selection, num_rows: int) -> faiss.IDSelector:
    if len(selection.rows) > SET_SHARE * num_rows:
        bits: Any = np.packbits(selection.mask(num_rows), bitorder="little")
        return faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg]  # as its stub does not know
    batch = faiss.IDSelectorBatch(selection.rows)
    return batch if selection.is_allowed else faiss.IDSelectorNot(batch)
