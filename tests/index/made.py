"""Vectors around centres, and one small index of every kind on them."""

import numpy as np

from recsys.index.build import build_index
from recsys.index.config import AutoIndex, FlatIndex, HnswIndex, IndexConfig, IvfIndex, PqIndex, SqIndex
from recsys.index.item_index import ItemIndex
from recsys.index.vectors import unit_rows

DIM = 16
KINDS: dict[str, IndexConfig] = {
    "flat": FlatIndex(),
    "ivf": IvfIndex(),
    "sq": SqIndex(),
    "pq": PqIndex(),
    "hnsw": HnswIndex(links=16),
}
APPROXIMATE = [kind for kind in KINDS if kind != "flat"]


def clustered(rows: int, *, seed: int = 0, dim: int = DIM, centres: int = 50) -> np.ndarray:
    centre = np.random.default_rng(99).standard_normal((centres, dim))
    random = np.random.default_rng(seed)
    noise = random.standard_normal((rows, dim)) * 0.7
    return unit_rows((centre[random.integers(0, centres, rows)] + noise).astype(np.float32))


def quietly(message: str) -> None:
    """Nobody is told."""


def made(kind: str, vectors: np.ndarray) -> ItemIndex:
    return build_index(vectors, KINDS.get(kind, AutoIndex()), tell=quietly)


def recall(found: np.ndarray, exact: np.ndarray) -> float:
    return float((found[:, :, None] == exact[:, None, :]).any(axis=1).mean())
