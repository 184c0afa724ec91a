"""How many lookups a second a bundle's index does by itself: FAISS alone, no ids, no titles, no server."""

import time
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from recsys.bundle.opened import open_bundle
from recsys.index.item_index import ItemIndex

K = 10


def raw_lookups_a_second(bundle: Path, number: int, *, seconds: float) -> float:
    """`number` at a time, on one thread."""
    index, random = open_bundle(bundle).index, np.random.default_rng(0)
    search, threads = _search(index), faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        queries = [index.vectors[random.integers(0, len(index.vectors), number)] for _ in range(16)]
        search(queries[0])
        began, asked = time.perf_counter(), 0
        while time.perf_counter() < began + seconds:
            search(queries[asked % len(queries)])
            asked += 1
        return asked * number / (time.perf_counter() - began)
    finally:
        faiss.omp_set_num_threads(threads)


def _search(index: ItemIndex) -> Callable[[NDArray[np.float32]], object]:
    effort, structure = index.statement.effort, index.structure
    if structure is None or effort is None:
        flat = faiss.IndexFlatIP(index.dim)
        flat.add(index.vectors)
        return lambda queries: flat.search(queries, K + 1)
    fetched = min(effort.candidates(K + 1), len(index.vectors))
    return lambda queries: structure.candidates(queries, fetched, effort.visited)
