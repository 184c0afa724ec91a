"""Nearest rows by inner product, over FAISS. Knows vectors and row numbers, not items.

FAISS itself takes NaN for a vector, dies of an AssertionError at k = 0, reads past the buffer where the width
is wrong and assertions are off, and answers -1 where it has no row. So what goes in or out is checked here.
"""

from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Rows:
    """[queries, k] rows by falling score. Where `found` is False there is no row: 0, with score -inf."""

    rows: NDArray[np.int64]
    scores: Float32
    found: NDArray[np.bool_]


class ItemIndex:
    """Exact search; at least one row, every number in it finite."""

    def __init__(self, index: faiss.IndexFlatIP) -> None:
        self._index = index

    @classmethod
    def build(cls, vectors: Float32) -> "ItemIndex":
        """Copies the vectors. Normalise them first where cosine is meant."""
        _check("vectors", vectors)
        if vectors.size == 0:
            raise ValueError(f"an index needs at least one row and one column, got shape {vectors.shape}")
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(np.ascontiguousarray(vectors))
        return cls(index)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dim(self) -> int:
        return int(self._index.d)

    def search(self, queries: Float32, k: int) -> Rows:
        """The k rows of largest inner product with each query, or all of them where there are fewer."""
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ValueError(f"k must be an integer of at least 1, got {k!r}")
        _check("queries", queries)
        if queries.shape[1] != self.dim:
            raise ValueError(f"queries must be {self.dim} wide like the index, got shape {queries.shape}")
        scores, rows = self._index.search(np.ascontiguousarray(queries), min(k, len(self)))
        found = (rows >= 0) & np.isfinite(scores)  # two finite numbers may have an infinite product
        return Rows(np.where(found, rows, 0), np.where(found, scores, -np.inf).astype(np.float32), found)

    def to_bytes(self) -> bytes:
        return bytes(faiss.serialize_index(self._index).tobytes())

    @classmethod
    def from_bytes(cls, data: bytes) -> "ItemIndex":
        """ValueError for all but a flat inner-product index. FAISS has no checksum: check yours first."""
        faiss.set_deserialization_vector_byte_limit(len(data))
        faiss.set_deserialization_loop_limit(len(data))
        try:
            index = faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8))
        except RuntimeError as error:
            raise ValueError(f"not an index that FAISS can read: {str(error).splitlines()[0]}") from None
        if not isinstance(index, faiss.IndexFlatIP) or index.ntotal < 1:
            raise ValueError(f"expected a filled flat inner-product index, got {type(index).__name__}")
        return cls(index)


def unit_rows(vectors: Float32) -> Float32:
    """Every row at length 1, so that inner products are cosines; a row of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)


def _check(name: str, array: NDArray[Any]) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != np.float32 or array.ndim != 2:
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise ValueError(f"{name} must be a two-dimensional float32 array, got {found}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {(~np.isfinite(array)).sum()} NaN or infinite numbers")
