"""Vectors to look up: a bundle's, or made ones whose difficulty is known."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recsys.bundle.opened import open_bundle
from recsys.errors import ConfigError
from recsys.index.item_index import ItemIndex
from recsys.index.vectors import Float32, unit_rows
from recsys.lookups import search_exactly
from recsys.recommender import Recommender

NUM_CENTRES, NUM_QUERIES, NEAR = 1_000, 1_024, 5
MADE = re.compile(r"(clustered|normal):([0-9_]+)x([0-9]+)")


@dataclass(frozen=True)
class Looked:
    """Unit rows, and queries that are none of them."""

    name: str
    vectors: Float32
    queries: Float32
    opened: Recommender | None = None
    """Whose vectors they are."""


def vectors_of(source: str) -> Looked:
    """`clustered:1000000x64`, `normal:100000x64`, or the directory of a bundle."""
    made = MADE.fullmatch(source)
    if made is not None:
        return _made(made[1], int(made[2]), int(made[3]))
    path = Path(source)
    if not path.is_dir():
        raise ConfigError(f"{source!r} is no bundle's directory, nor made vectors as in clustered:1000000x64")
    opened = Recommender(open_bundle(path))
    vectors = opened.bundle.index.vectors
    return Looked(source, vectors, _between(opened.bundle.index), opened)


def _made(kind: str, num: int, dim: int) -> Looked:
    """Normal numbers; or Gaussian clusters whose noise is half as long as their centres are apart on average."""
    if min(num, dim) < 1:
        raise ConfigError(f"made vectors have at least one row and one column, got {num} x {dim}")
    random = np.random.default_rng(0)
    rows = random.standard_normal((num + NUM_QUERIES, dim), dtype=np.float32)
    if kind == "clustered":
        centres = random.standard_normal((NUM_CENTRES, dim), dtype=np.float32)
        apart = np.linalg.norm(centres[: NUM_CENTRES // 2] - centres[NUM_CENTRES // 2 :], axis=1).mean()
        rows *= apart / 2 / np.sqrt(dim)
        for first in range(0, len(rows), 1 << 16):
            part = rows[first : first + (1 << 16)]
            part += centres[random.integers(0, NUM_CENTRES, len(part))]
    units = unit_rows(rows)
    return Looked(f"{kind}:{num}x{dim}", units[:num], units[num:])


def _between(index: ItemIndex) -> Float32:
    """Half-way between an item and another that is near to it: like an item, and none."""
    rows = np.random.default_rng(0).integers(0, len(index.vectors), NUM_QUERIES)
    near = search_exactly(index, index.vectors[rows], 1 + NEAR).rows[:, -1]
    return unit_rows(index.vectors[rows] + index.vectors[near])
