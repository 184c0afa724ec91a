"""How fast a bundle makes offline lists: as `recsys recommend` does it, into a directory that is thrown away."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from tqdm import tqdm

from recsys.benchmark.machine import Load, LoadMeter, forget_peak_memory, peak_memory
from recsys.benchmark.products import BatchShape, MatmulRate, are_counted, inference_products, seconds_of, useful_flop
from recsys.benchmark.results import Matmul, RecommendBenchmark, Setting
from recsys.data.batches import length_buckets
from recsys.model.encoding import BATCH_TOKENS
from recsys.offline.recommend import NUM_AT_ONCE, recommend_users
from recsys.offline.requests import Requests
from recsys.recommend_config import RecommendConfig
from recsys.recommender import Recommender


def benchmark_recommending(
    recommender: Recommender, requests: Requests, config: RecommendConfig, *, repeats: int, tell: Callable[[str], None]
) -> RecommendBenchmark:
    """The median of some whole runs, the parts of one, and matrix products alone."""
    tell(f"recommending to {len(requests):,} users, {repeats} times")
    runs = LoadMeter()
    forget_peak_memory()
    rates = [_users_per_second(recommender, requests, config) for _ in tqdm(range(repeats), disable=None)]
    loads, peak, rate = [runs.load()], peak_memory(), statistics.median(rates)
    device, rest = recommender.device, LoadMeter()
    shares = _shares(recommender, requests, config, len(requests) / rate)
    matmul = _matmul(recommender, requests, rate)
    loads.append(rest.load())
    return RecommendBenchmark(
        setting=Setting.here(str(device) if device.type == "cuda" else f"cpu, {torch.get_num_threads()} threads"),
        load=Load.worst(loads),
        peak_mb=peak,
        device_peak_mb=torch.cuda.max_memory_allocated() / 1e6 if device.type == "cuda" else None,
        shares=shares,
        matmul=matmul,
        users_per_second=rate,
        num_users=len(requests),
        k=config.k,
        runs=tuple(rates),
    )


def _users_per_second(recommender: Recommender, requests: Requests, config: RecommendConfig) -> float:
    with TemporaryDirectory(prefix="recsys-benchmark-") as directory:
        result = recommend_users(recommender, requests, Path(directory), config, tell=lambda _: None)
    return result.users_per_second


def _shares(
    recommender: Recommender, requests: Requests, config: RecommendConfig, whole_seconds: float
) -> dict[str, float]:
    encoding = listing = 0.0
    for first in range(0, len(requests), NUM_AT_ONCE):
        clicks = requests.clicks(first, min(first + NUM_AT_ONCE, len(requests)))
        began = time.perf_counter()
        recommender.user_vectors(clicks.only(recommender.bundle.known)).cpu()
        encoded = time.perf_counter()
        recommender.lists(clicks, k=config.k, exclude_seen=config.exclude_seen)
        encoding, listing = encoding + encoded - began, listing + time.perf_counter() - encoded
    seconds = {"encoder": encoding, "scores and top-k": listing - encoding, "ids and files": whole_seconds - listing}
    return {part: max(0.0, spent / whole_seconds) for part, spent in seconds.items()}


def _matmul(recommender: Recommender, requests: Requests, rate: float) -> Matmul | None:
    bundle = recommender.bundle
    if not are_counted(bundle.retriever.config):
        return None
    clicks = requests.clicks(0, min(NUM_AT_ONCE, len(requests))).only(bundle.known)
    lengths = np.sort(np.minimum(clicks.counts, bundle.manifest.max_length))
    lengths = lengths[lengths > 0]
    buckets = length_buckets(lengths, BATCH_TOKENS[recommender.device.type])
    num_tokens = sum(len(rows) * int(lengths[rows[-1]]) for rows in buckets)
    shape = BatchShape.of(lengths, len(buckets), num_tokens)
    products = inference_products(
        bundle.retriever, shape, num_items=len(bundle.item_vectors), tile_users=min(len(lengths), NUM_AT_ONCE)
    )
    flop = useful_flop(products)
    alone = MatmulRate(recommender.device, torch.float32)
    return Matmul(
        useful_flop=flop / shape.rows,
        useful_rate=flop / shape.rows * rate,
        alone_rate=flop / seconds_of(products, alone),
    )
