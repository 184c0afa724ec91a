"""How fast nearest rows are found, and how many of them: by the index, exactly, and by FAISS alone on the same vectors.

Every contender is measured in every round, so that a slow moment of the machine hits all of them.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import faiss
import numpy as np
import torch
from tqdm import tqdm

from recsys.benchmark.kinds import points_of
from recsys.benchmark.lookup_results import FilterRow, LookupBenchmark, LookupRow, SingleLookup
from recsys.benchmark.machine import LoadMeter, forget_peak_memory, peak_memory
from recsys.benchmark.results import Setting
from recsys.benchmark.vectors import Looked
from recsys.index.build import build_index
from recsys.index.config import ApproximateIndex, AutoIndex, IndexConfig
from recsys.index.item_index import ItemIndex
from recsys.index.selection import Selection
from recsys.index.trial import Trial
from recsys.index.vectors import Float32, Int64, unit_rows
from recsys.lookups import search_exactly
from recsys.recommender import Recommender

BATCHES = (1, 16, 256)
K = 10
ROUNDS = 3
ROUND_SECONDS, MOST_CALLS, SINGLE_CALLS = 1.0, 400, 2_000
SHARES, FILTERED = (0.01, 0.1, 0.9), 200
Search = Callable[[Float32], Int64]


@dataclass(frozen=True)
class Contender:
    name: str
    search: Search


def benchmark_lookups(
    looked: Looked, config: IndexConfig | None, kinds: Sequence[ApproximateIndex], *, tell: Callable[[str], None]
) -> LookupBenchmark:
    """A bundle's own index, or one of this kind that is built first, beside the others; `kinds` at all efforts."""
    meter = LoadMeter()
    if config is None and looked.opened is not None:
        built = Built(looked.opened.bundle.index, None, None)
    else:
        built = _built(looked, config or AutoIndex(), tell)
    index = built.index
    exact = index.search_with(None, looked.queries, K).rows
    searches = [
        _row(one.name, batch, times, _recall(one.search(looked.queries), exact))
        for batch in BATCHES
        for one, times in _in_turns(contenders(index), looked.queries, batch)
    ]
    return LookupBenchmark(
        setting=Setting.here(f"cpu, {torch.get_num_threads()} threads"),
        load=meter.load(),
        peak_mb=peak_memory(),
        vectors=looked.name,
        statement=index.statement,
        build_seconds=built.seconds,
        build_mb=built.mb,
        searches=tuple(searches),
        filters=tuple(_filtered(index, looked.queries, share) for share in SHARES if share * len(index) >= K),
        single=None if looked.opened is None else _single(looked.opened),
        kinds=tuple(points_of(Trial.of(looked.vectors), kinds, tell=tell)) if kinds else (),
    )


@dataclass(frozen=True)
class Built:
    """None: it was there."""

    index: ItemIndex
    seconds: float | None
    mb: float | None


def _built(looked: Looked, config: IndexConfig, tell: Callable[[str], None]) -> Built:
    forget_peak_memory()
    before, began = peak_memory(), time.perf_counter()
    index = build_index(looked.vectors, config, tell=tell)
    seconds, after = time.perf_counter() - began, peak_memory()
    return Built(index, seconds, None if before is None or after is None else after - before)


def contenders(index: ItemIndex) -> list[Contender]:
    """The index, what FAISS has of it without us, and both ways to compare with every row."""
    flat = faiss.IndexFlatIP(index.dim)
    flat.add(index.vectors)
    both = [
        Contender("exact", lambda queries: search_exactly(index, queries, K).rows),
        Contender("FAISS flat", lambda queries: flat.search(queries, K)[1]),
    ]
    structure, effort = index.structure, index.statement.effort
    if structure is None or effort is None:
        return both
    name, num = index.statement.kind, effort.candidates(K)
    return [
        Contender(name, lambda queries: index.search(queries, K).rows),
        Contender(f"FAISS {name}", lambda queries: structure.candidates(queries, num, effort.visited)[:, :K]),
        *both,
    ]


def _filtered(index: ItemIndex, queries: Float32, share: float) -> FilterRow:
    allowed = np.flatnonzero(np.random.default_rng(0).random(len(index.vectors)) < share)
    selection, asked = Selection.only(allowed), queries[:FILTERED]
    seconds, found = [], []
    for query in np.split(asked, len(asked)):
        began = time.perf_counter()
        found.append(index.search(query, K, selection=selection))
        seconds.append(time.perf_counter() - began)
    exact = index.search_with(None, asked, K, selection=selection).rows
    return FilterRow(
        allowed=share,
        queries_per_second=1 / float(np.median(seconds)),
        recall=_recall(np.concatenate([one.rows for one in found]), exact),
        are_full=all(one.found.all() and one.rows.shape[1] == min(K, len(allowed)) for one in found),
    )


def _single(opened: Recommender) -> SingleLookup:
    """Both in turns, of items drawn at random."""
    index = opened.bundle.index
    structure, effort = index.structure, index.statement.effort
    flat = faiss.IndexFlatIP(index.dim)
    flat.add(index.vectors)
    random = np.random.default_rng(0)
    drawn = random.choice(np.flatnonzero(opened.bundle.known & opened.bundle.candidates), SINGLE_CALLS)
    ours, theirs = [], []
    for item, ident in zip(drawn, opened.catalogue.ids(drawn), strict=True):
        query = unit_rows(opened.bundle.item_vectors[item : item + 1])
        began = time.perf_counter()
        if structure is None or effort is None:
            flat.search(query, K + 1)
        else:
            structure.candidates(query, effort.candidates(K + 1), effort.visited)
        between = time.perf_counter()
        opened.similar(ident, k=K)
        ours.append(time.perf_counter() - between)
        theirs.append(between - began)
    return SingleLookup(similar=1e3 * float(np.median(ours)), faiss_alone=1e3 * float(np.median(theirs)))


def _in_turns(found: list[Contender], queries: Float32, batch: int) -> list[tuple[Contender, list[float]]]:
    """Seconds of each call."""
    times: list[tuple[Contender, list[float]]] = [(one, []) for one in found]
    for _ in tqdm(range(ROUNDS), desc=f"batches of {batch}", disable=None):
        for one, own in times:
            own += _calls(one.search, queries, batch)
    return times


def _calls(search: Search, queries: Float32, batch: int) -> list[float]:
    began, seconds = time.perf_counter(), []
    for call in range(MOST_CALLS):
        first = call * batch % (len(queries) - batch + 1)
        started = time.perf_counter()
        search(queries[first : first + batch])
        seconds.append(time.perf_counter() - started)
        if call >= 2 and time.perf_counter() - began > ROUND_SECONDS:
            break
    return seconds[1:]


def _row(name: str, batch: int, seconds: list[float], recall: float) -> LookupRow:
    percentiles = {f"p{q}": 1e3 * float(np.percentile(seconds, q)) for q in (50, 95, 99)}
    return LookupRow(
        name=name,
        batch=batch,
        queries_per_second=batch / float(np.median(seconds)),
        milliseconds=percentiles,
        recall=recall,
    )


def _recall(found: Int64, exact: Int64) -> float:
    return float((found[:, :, None] == exact[:, None, :]).any(axis=1).mean())
