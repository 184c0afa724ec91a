"""How much a server takes, and how soon it answers: `recsys serve` in one process, the load in another."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import quote

import numpy as np
import torch

from recsys.benchmark.load import Load, Plan, get, post
from recsys.benchmark.machine import LoadMeter, resident_memory
from recsys.benchmark.overload import Health, overloaded
from recsys.benchmark.raw_lookups import raw_lookups_a_second
from recsys.benchmark.results import Measurement, Setting
from recsys.benchmark.server_process import Running, running
from recsys.bundle.opened import open_bundle
from recsys.data.vocabulary import ItemId
from recsys.recommender import Recommender
from recsys.section import Section
from recsys.serving.config import ServeConfig

CONNECTIONS, CROWD, RATE, HISTORY = 16, 128, 50.0, 50
NUM_REQUESTS = 4_000
# Lookups of one request, and connections that ask for so many.
TOGETHER, FEW = 256, 2
ROUNDS = 5
# Seconds that a load may take longer than it should.
PATIENCE = 60


class LoadResult(Section):
    """Milliseconds by percentile."""

    name: str
    rate: float
    """Requests a second that were answered."""
    refused: int
    """503: as many as may be were in flight."""
    failed: int
    milliseconds: dict[str, float]

    @classmethod
    def of(cls, name: str, load: Load) -> "LoadResult":
        times = load.milliseconds or (float("nan"),)
        percentiles = {f"p{q}": float(np.percentile(times, q)) for q in (50, 95, 99)}
        return cls(name=name, rate=load.rate, refused=load.refused, failed=load.failed, milliseconds=percentiles)

    def line(self) -> str:
        latencies = ", ".join(f"{name} {value:.2f}" for name, value in self.milliseconds.items())
        more = [f"; {self.refused:,} refused"] * bool(self.refused) + [f"; {self.failed:,} FAILED"] * bool(self.failed)
        return f"{self.rate:>8,.0f} requests/s; {latencies} ms" + "".join(more)


class ServeBenchmark(Measurement):
    bundle: str
    results: tuple[LoadResult, ...]
    ratios: tuple[float, ...]
    """Lookups a second to the bare route's, of each turn."""
    raw_lookups: float
    """Queries a second of the index itself, so many at a time, on one thread."""
    health: Health
    server_mb: float | None
    """Resident, at the end."""

    def rows(self) -> list[tuple[str, str]]:
        by_name = {result.name: result for result in self.results}
        half, bare_half = by_name["similar, half of that"], by_name["bare route, half of that"]
        together, alone = by_name["recommendations, closed"], by_name["recommendations, closed, one by one"]
        many = TOGETHER * by_name[f"similar, {TOGETHER} a request"].rate
        return [
            *((result.name, result.line()) for result in self.results),
            ("similar / bare route", f"{median(self.ratios):.0%} ({min(self.ratios):.0%} to {max(self.ratios):.0%})"),
            ("p99 at half, similar / bare", f"{half.milliseconds['p99'] / bare_half.milliseconds['p99']:.2f}"),
            (f"{TOGETHER} a request", f"{many:,.0f} lookups/s, {many / self.raw_lookups:.0%} of the index alone"),
            ("micro-batches", f"{together.rate / alone.rate:.2f} x one by one"),
            ("health while overloaded", self.health.line()),
            *([] if self.server_mb is None else [("server's memory", f"{self.server_mb:,.0f} MB")]),
            *super().rows(),
        ]


def benchmark_serving(bundle: Path, *, seconds: float, tell: Callable[[str], None]) -> ServeBenchmark:
    """Each part takes `seconds`; the bare route and ours are asked in the same way, one after the other."""
    meter, asked = LoadMeter(), _Requests.of(bundle)
    tell("the index alone")
    raw = raw_lookups_a_second(bundle, TOGETHER, seconds=min(seconds, 5.0))
    with running("recsys.serving.server", str(bundle), ServeConfig()) as ours:
        with running("recsys.benchmark.bare") as bare:
            tell("lookups and a bare route, in turns, as fast as they go")
            pairs = [_pair(bare, ours, asked.similar, seconds / 2) for _ in range(ROUNDS)]
            results = [_typical(results) for results in zip(*pairs, strict=True)]
            for server, name, most in ((bare, "bare route", results[0]), (ours, "similar", results[1])):
                results.append(_at(f"{name}, half of that", server, asked.similar, seconds, most.rate / 2))
        found, health = _of_ours(ours, asked, seconds, tell)
        memory = resident_memory(ours.pid)
    tell("recommendations one by one")
    with running("recsys.serving.server", str(bundle), ServeConfig(batch_size=1, batch_delay_ms=0)) as alone:
        found.append(_closed("recommendations, closed, one by one", alone, asked.recommend, seconds))
    return ServeBenchmark(
        setting=Setting.here(f"cpu, {torch.get_num_threads()} threads"),
        load=meter.load(),
        peak_mb=None,
        bundle=str(bundle),
        results=(*results, *found),
        ratios=tuple(own.rate / limit.rate for limit, own in pairs),
        raw_lookups=raw,
        health=health,
        server_mb=memory,
    )


def _pair(bare: Running, ours: Running, requests: Sequence[str], seconds: float) -> tuple[LoadResult, LoadResult]:
    return (
        _closed("bare route, closed", bare, requests, seconds),
        _closed("similar, closed", ours, requests, seconds),
    )


def _typical(results: Sequence[LoadResult]) -> LoadResult:
    """The one of median rate."""
    return sorted(results, key=lambda result: result.rate)[len(results) // 2]


def _of_ours(
    ours: Running, asked: "_Requests", seconds: float, tell: Callable[[str], None]
) -> tuple[list[LoadResult], Health]:
    tell("lookups and recommendations")
    found = [_closed(f"similar, {TOGETHER} a request", ours, asked.many, seconds, connections=FEW)]
    most = _closed("recommendations, closed", ours, asked.recommend, seconds)
    found += [most, _at(f"recommendations, {RATE:.0f}/s", ours, asked.recommend, seconds, RATE)]
    tell("three times as much as it takes, with slow clients beside")
    with overloaded(ours.port) as health:
        found.append(
            _at(
                "recommendations, 3 x the most",
                ours,
                asked.recommend,
                seconds,
                3 * most.rate,
                connections=CROWD,
                since_sent=True,
            )
        )
    found.append(_at(f"recommendations, {RATE:.0f}/s, at once after that", ours, asked.recommend, seconds, RATE))
    return found, health.told()


@dataclass(frozen=True)
class _Requests:
    """Lookups of known items one by one and many together, and histories of them."""

    similar: list[str]
    many: list[str]
    recommend: list[str]

    @classmethod
    def of(cls, bundle: Path) -> "_Requests":
        opened, random = Recommender(open_bundle(bundle)), np.random.default_rng(0)
        known = np.flatnonzero(opened.bundle.known & opened.bundle.candidates)

        def drawn(number: int) -> list[ItemId]:
            return opened.catalogue.ids(random.choice(known, number))

        return cls(
            [get(f"/v1/items/{quote(str(item), safe='')}/similar") for item in drawn(NUM_REQUESTS)],
            [post("/v1/similar", {"items": drawn(TOGETHER)}) for _ in range(NUM_REQUESTS // TOGETHER)],
            [post("/v1/recommendations", {"history": drawn(HISTORY)}) for _ in range(NUM_REQUESTS // 4)],
        )


def _closed(
    name: str, server: Running, requests: Sequence[str], seconds: float, *, connections: int = CONNECTIONS
) -> LoadResult:
    return _driven(name, Plan(port=server.port, requests=tuple(requests), connections=connections, seconds=seconds))


def _at(name: str, server: Running, requests: Sequence[str], seconds: float, rate: float, **more: object) -> LoadResult:
    told = {"port": server.port, "requests": requests, "seconds": seconds, "rate": rate}
    return _driven(name, Plan.model_validate({"connections": CONNECTIONS, **told, **more}))


def _driven(name: str, plan: Plan) -> LoadResult:
    """After a second that does not count."""
    for each in (plan.model_copy(update={"seconds": 1.0}), plan):
        command = [sys.executable, "-m", "recsys.benchmark.load"]
        plan_text, most = each.model_dump_json().encode(), each.seconds + PATIENCE
        done = subprocess.run(command, input=plan_text, capture_output=True, check=True, timeout=most)
    return LoadResult.of(name, Load.model_validate_json(done.stdout))
