"""What an index of a kind finds, and at what cost: recall is measured, never assumed.

    train on some rows -> add them -> ask for the neighbours of rows that it has never seen -> raise the effort

Costs are counted in rows and not timed, so that equal vectors make equal indices on a busy machine, too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from tqdm import tqdm

from recsys.index.config import ApproximateIndex, HnswIndex, IvfIndex, PqIndex, SqIndex
from recsys.index.effort import Effort
from recsys.index.flat import Flat
from recsys.index.selection import Chosen, Selection
from recsys.index.structures import Graph, Lists, Structure
from recsys.index.vectors import Float32, Int64, ranked

# Rows below which there is nothing to train on.
LEAST_ROWS = 1_000
# Rows that k-means sees of each list, and in all; rows that measure recall; rows added at a time.
ROWS_A_LIST, LEAST_TRAINING, NUM_QUERIES, ADDED = 64, 10_000, 500, 50_000
# What reading a row takes, against its inner product; what fetching and scoring one takes.
READING, FETCHING = {"ivf": 1.0, "sq": 0.5, "pq": 0.1}, 50
FETCHED = (4, 16, 64, 256)
LEAST_NODES, MOST_NODES = 16, 4096

Tell = Callable[[str], None]


def untold(_: str) -> None:
    """For who wants to hear nothing."""


@dataclass(frozen=True)
class Trial:
    """Rows that structures are made of, in random order, and others that they are asked for."""

    vectors: Float32
    others: Int64
    asked: Int64
    exact: Float32
    """[asked, 100] scores of the nearest of the others."""

    @classmethod
    def of(cls, vectors: Float32) -> "Trial":
        """ValueError where there are too few rows to train on."""
        if len(vectors) < LEAST_ROWS:
            raise ValueError(f"an approximate index takes {LEAST_ROWS:,} rows at least, got {len(vectors):,}")
        order = np.random.default_rng(0).permutation(len(vectors))
        num_asked = min(NUM_QUERIES, len(vectors) // 5)
        asked, others = np.sort(order[:num_asked]), order[num_asked:]
        chosen = Chosen(Selection.without(asked), len(vectors), asked[:0])
        exact = Flat(vectors).search(vectors[asked], min(100, len(others)), chosen)
        return cls(vectors, others, asked, exact.scores)

    @property
    def dim(self) -> int:
        return int(self.vectors.shape[1])

    def structure(self, config: ApproximateIndex, tell: Tell) -> Structure:
        """Trained, and filled with all rows but those that are asked for."""
        structure = self._empty(config, tell)
        others = np.sort(self.others)
        for first in tqdm(range(0, len(others), ADDED), desc=f"index, {config.kind}", unit="part", disable=None):
            rows = others[first : first + ADDED]
            structure.add(self.vectors[rows], rows)
        return structure

    def efforts(self, config: ApproximateIndex) -> list[Effort]:
        """From the cheapest on."""
        is_graph = isinstance(config, HnswIndex)
        least, most = (LEAST_NODES, MOST_NODES) if is_graph else (1, self.num_lists(config))
        visited = [config.visited] if config.visited else [*_doubled(least, most), most]
        fetched: tuple[int, ...] = (1,)
        if isinstance(config, SqIndex | PqIndex):
            fetched = FETCHED if config.fetched is None else (config.fetched,)
        efforts = [Effort(visited=lists, fetched=each) for lists in visited for each in fetched]
        return sorted(efforts, key=lambda effort: self.cost(config, effort))

    def cost(self, config: ApproximateIndex, effort: Effort) -> float:
        """Of ten neighbours, against comparing with every row."""
        if isinstance(config, HnswIndex):
            return effort.visited * config.links / len(self.vectors)
        num_lists = self.num_lists(config)
        fetched = 10 * effort.fetched if effort.fetched > 1 else 0
        rows = READING[config.kind] * effort.visited / num_lists * len(self.vectors) + num_lists + FETCHING * fetched
        return rows / len(self.vectors)

    def recall(self, structure: Structure, effort: Effort, k: int) -> tuple[float, float]:
        """Of the k nearest, how many are found, or others as near; and the standard error of that."""
        queries = self.vectors[self.asked]
        best = ranked(queries, self.vectors, structure.candidates(queries, effort.candidates(k), effort.visited), k)
        wanted = min(k, self.exact.shape[1])
        shares = (best.found & (best.scores >= self.exact[:, wanted - 1 : wanted])).sum(axis=1) / wanted
        return float(shares.mean()), float(shares.std() / np.sqrt(len(shares)))

    def num_lists(self, config: ApproximateIndex) -> int:
        assert isinstance(config, IvfIndex)
        return min(config.num_lists or 1 << round(np.log2(len(self.vectors)) / 2), len(self.others))

    def num_bytes(self, config: ApproximateIndex) -> int:
        """Of all rows."""
        if isinstance(config, HnswIndex):
            return (4 * self.dim + 8 * config.links + 8) * len(self.vectors)
        codes = {"ivf": 4 * self.dim, "sq": self.dim, "pq": -(-_num_codes(self.dim) // 2)}
        return (codes[config.kind] + 8) * len(self.vectors)

    def _empty(self, config: ApproximateIndex, tell: Tell) -> Structure:
        if isinstance(config, HnswIndex):
            graph = faiss.IndexHNSWFlat(self.dim, config.links, faiss.METRIC_INNER_PRODUCT)
            graph.hnsw.efConstruction = config.construction
            return Graph(faiss.IndexIDMap(graph))
        num_lists = self.num_lists(config)
        codes = {"ivf": "Flat", "sq": "SQ8", "pq": f"PQ{_num_codes(self.dim)}x4fs"}[config.kind]
        lists: Any = faiss.index_factory(self.dim, f"IVF{num_lists},{codes}", faiss.METRIC_INNER_PRODUCT)
        lists.cp.niter, lists.cp.min_points_per_centroid = 10, 1
        rows = np.sort(self.others[: max(ROWS_A_LIST * num_lists, LEAST_TRAINING)])
        tell(f"index: training {num_lists:,} lists on {len(rows):,} items")
        lists.train(self.vectors[rows])
        return Lists(lists)


def _doubled(least: int, most: int) -> list[int]:
    """least, 2 * least ... below most"""
    return [least << n for n in range(32) if least << n < most]


def _num_codes(dim: int) -> int:
    return dim // 2 if dim % 2 == 0 else dim
