"""How fast a configuration trains: as `recsys train` does it, for some seconds, the weights thrown away."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from recsys.benchmark.machine import Load, LoadMeter, forget_peak_memory, peak_memory
from recsys.benchmark.products import BatchShape, MatmulRate, are_counted, seconds_of, training_products, useful_flop
from recsys.benchmark.results import Matmul, Setting, TrainingBenchmark
from recsys.data.batches import EpochPlan, Shard
from recsys.errors import ConfigError
from recsys.model.losses import chunk_positions
from recsys.model.objectives import FullSoftmaxConfig
from recsys.training.engine import train
from recsys.training.hardware import Hardware, choose_hardware
from recsys.training.ranking_job import RankingJob
from recsys.training.retrieval_job import RetrievalJob, build_batches, build_task
from recsys.training.stopwatch import Stopwatch

ENDLESS = {"max_epochs": 10**6, "max_minutes": None, "patience": 10**6}


def benchmark_training(job: RetrievalJob, *, seconds: float, tell: Callable[[str], None]) -> TrainingBenchmark:
    """Throughput over `seconds`, the parts over a quarter of that, a validation, and matrix products alone."""
    if job.training.devices > 1:
        raise ConfigError(
            f"training.devices is {job.training.devices}, and a benchmark measures one process; use training.devices=1"
        )
    hardware, stopwatch = choose_hardware(job.training), Stopwatch(seconds)
    tell(f"training on {hardware} for {1.25 * seconds:.1f} seconds at least, then a validation")
    training = LoadMeter()
    forget_peak_memory()
    train_for(job, hardware, stopwatch)
    loads, peak = [training.load()], peak_memory()
    lap = stopwatch.speed
    speed, plan = lap.clicks / lap.seconds, build_batches(job).plan(0, Shard())
    tell("timing matrix products of the same shapes")
    products = LoadMeter()
    matmul = _matmul(job, hardware, plan, speed)
    loads.append(products.load())
    return TrainingBenchmark(
        setting=Setting.here(str(hardware)),
        load=Load.worst(loads),
        peak_mb=peak,
        device_peak_mb=torch.cuda.max_memory_allocated() / 1e6 if hardware.device == "cuda" else None,
        shares={part: spent / stopwatch.in_parts.seconds for part, spent in stopwatch.parts.items()},
        matmul=matmul,
        clicks_per_second=speed,
        steps=lap.steps,
        seconds=lap.seconds,
        clicks_per_step=lap.clicks / lap.steps,
        epoch_seconds=plan.clicks_from(0) / speed,
        epoch_end_seconds=float(np.mean(stopwatch.epoch_ends)),
    )


def train_for(job: RetrievalJob | RankingJob, hardware: Hardware, stopwatch: Stopwatch) -> None:
    """Until the stopwatch has seen enough; nothing is left of it."""
    with TemporaryDirectory(prefix="recsys-benchmark-") as directory:
        changed: dict[str, Any] = {"training": job.training.model_copy(update=ENDLESS), "directory": Path(directory)}
        train(dataclasses.replace(job, **changed), hardware, None, None, callbacks=[stopwatch])


def _matmul(job: RetrievalJob, hardware: Hardware, plan: EpochPlan, speed: float) -> Matmul | None:
    if not are_counted(job.model):
        return None
    task, device = build_task(job), torch.device(hardware.device)
    objective, num_items = job.training.objective, len(job.dataset.items)
    num_scored = num_items if isinstance(objective, FullSoftmaxConfig) else objective.num_negatives
    products = training_products(
        task.retriever,
        BatchShape.of(plan.lengths, len(plan), plan.num_positions),
        num_scored=num_scored,
        chunk_positions=min(chunk_positions(num_scored, device), round(plan.clicks_from(0) / len(plan))),
    )
    rate = MatmulRate(device, torch.bfloat16 if hardware.precision == "bf16-mixed" else torch.float32)
    flop = useful_flop(products)
    per_click = flop * len(plan) / plan.clicks_from(0)
    return Matmul(useful_flop=per_click, useful_rate=per_click * speed, alone_rate=flop / seconds_of(products, rate))
