"""How long one lookup takes, by an index and by comparing with everything."""

import time

import numpy as np

from recsys.index.effort import Effort, LookupTimes
from recsys.index.item_index import ItemIndex

CALLS, EXACT_CALLS, K = 200, 50, 10


def lookup_times(index: ItemIndex) -> LookupTimes:
    return LookupTimes(
        index=_percentiles(index, index.statement.effort, CALLS), exact=_percentiles(index, None, EXACT_CALLS)
    )


def _percentiles(index: ItemIndex, effort: Effort | None, calls: int) -> dict[str, float]:
    asked = np.random.default_rng(0).integers(0, len(index.vectors), calls + 1)
    milliseconds = []
    for row in asked:
        query = index.vectors[row : row + 1]
        began = time.perf_counter()
        index.search_with(effort, query, K)
        milliseconds.append(1e3 * (time.perf_counter() - began))
    return {f"p{q}": float(np.percentile(milliseconds[1:], q)) for q in (50, 95, 99)}
