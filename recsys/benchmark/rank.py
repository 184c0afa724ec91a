"""How fast a ranker trains, as `recsys rank` does it, and how soon it has ranked one user's candidates."""

import time
from collections.abc import Callable

import numpy as np
import torch
from tqdm import tqdm

from recsys.benchmark.executed import executed_products
from recsys.benchmark.machine import LoadMeter, forget_peak_memory, peak_memory
from recsys.benchmark.products import MatmulRate, Product, seconds_of, useful_flop
from recsys.benchmark.results import Matmul, RankingBenchmark, Setting
from recsys.benchmark.train import train_for
from recsys.data.batches import Shard
from recsys.data.example_batches import ExampleBatches, ExampleReader
from recsys.model.ranking.ranker import Ranker
from recsys.training.hardware import Hardware, choose_hardware
from recsys.training.ranking_job import RankingJob
from recsys.training.stopwatch import Stopwatch

PARTS = {"blocks": "interest", "loss": "perceptron and loss"}
CALLS, WARM_UP = 500, 20


def benchmark_ranking(
    job: RankingJob, *, candidates: int, seconds: float, tell: Callable[[str], None]
) -> RankingBenchmark:
    """Throughput over `seconds`, the parts over a quarter of that, then users one by one, then matrix products."""
    hardware, stopwatch = choose_hardware(job.training), Stopwatch(seconds)
    tell(f"training on {hardware} for {1.25 * seconds:.1f} seconds at least, then a validation")
    meter = LoadMeter()
    forget_peak_memory()
    train_for(job, hardware, stopwatch)
    peak = peak_memory()
    tell(f"ranking {candidates} candidates of one user, {CALLS} times")
    milliseconds = _latencies(job, hardware, candidates)
    tell("timing matrix products of the same shapes")
    lap = stopwatch.speed
    speed = lap.clicks / lap.seconds
    matmul = _matmul(_step_products(job, hardware), hardware, lap.clicks / lap.steps, speed)
    shares = {PARTS.get(part, part): spent / stopwatch.in_parts.seconds for part, spent in stopwatch.parts.items()}
    return RankingBenchmark(
        setting=Setting.here(str(hardware)),
        load=meter.load(),
        peak_mb=peak,
        device_peak_mb=torch.cuda.max_memory_allocated() / 1e6 if hardware.device == "cuda" else None,
        shares=shares,
        matmul=matmul,
        examples_per_second=speed,
        steps=lap.steps,
        seconds=lap.seconds,
        candidates=candidates,
        latencies={f"p{q}": float(np.percentile(milliseconds, q)) for q in (50, 95, 99)},
    )


@torch.inference_mode()
def _latencies(job: RankingJob, hardware: Hardware, candidates: int) -> list[float]:
    """Milliseconds of each call, of users of the log; what a ranker has learned does not matter."""
    device = torch.device(hardware.device)
    ranker = Ranker.for_dataset(job.model, job.dataset).to(device).eval()
    reader = ExampleReader(job.dataset, job.examples, job.model.max_length)
    random = np.random.default_rng(0)
    rows = random.integers(0, job.examples.num_moments, CALLS + WARM_UP)
    items = torch.from_numpy(random.integers(1, len(job.dataset.items) + 1, (len(rows), 1, candidates)))
    found = []
    for row, asked in zip(tqdm(rows, desc="rank", disable=None), items, strict=True):
        started = time.perf_counter()
        moments = reader.moments(job.examples.take(np.array([row])))
        ranker.of_candidates(moments, asked.to(device)).logits_HC.cpu()
        found.append(1e3 * (time.perf_counter() - started))
    return found[WARM_UP:]


def _step_products(job: RankingJob, hardware: Hardware) -> list[Product]:
    """Of one step of training."""
    task, device = job.task().to(hardware.device), torch.device(hardware.device)
    reader = ExampleReader(job.dataset, job.examples, job.model.max_length)
    batches = ExampleBatches(reader, batch_size=job.training.batch_size, seed=job.seed)
    batch = next(batches.iterate(batches.plan(0, Shard()), first=0, shard=Shard())).to(device)
    return executed_products(lambda: task.training_step(batch).backward())


def _matmul(products: list[Product], hardware: Hardware, examples_per_step: float, speed: float) -> Matmul:
    rate = MatmulRate(
        torch.device(hardware.device), torch.bfloat16 if hardware.precision == "bf16-mixed" else torch.float32
    )
    flop = useful_flop(products)
    per_example = flop / examples_per_step
    return Matmul(
        useful_flop=per_example, useful_rate=per_example * speed, alone_rate=flop / seconds_of(products, rate)
    )
