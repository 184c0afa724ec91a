"""How much a server takes, and how soon it answers: `recsys serve` in one process, the load in another."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import torch

from recsys.benchmark.load import Load, Plan, get, post
from recsys.benchmark.machine import LoadMeter, resident_memory
from recsys.benchmark.results import Measurement, Setting
from recsys.bundle.opened import open_bundle
from recsys.errors import ConfigError
from recsys.recommender import Recommender
from recsys.section import Section
from recsys.serving.config import ServeConfig

CONNECTIONS, RATE, HISTORY = 16, 50.0, 50
READY_SECONDS, NUM_REQUESTS = 120, 4_000


class LoadResult(Section):
    """Milliseconds by percentile."""

    name: str
    rate: float
    """Requests a second that were answered."""
    failed: int
    milliseconds: dict[str, float]

    @classmethod
    def of(cls, name: str, load: Load) -> "LoadResult":
        times = load.milliseconds or (float("nan"),)
        percentiles = {f"p{q}": float(np.percentile(times, q)) for q in (50, 95, 99)}
        return cls(name=name, rate=load.rate, failed=load.failed, milliseconds=percentiles)

    def line(self) -> str:
        latencies = ", ".join(f"{name} {value:.2f}" for name, value in self.milliseconds.items())
        return f"{self.rate:>8,.0f} requests/s; {latencies} ms" + (f"; {self.failed:,} FAILED" if self.failed else "")


class ServeBenchmark(Measurement):
    bundle: str
    results: tuple[LoadResult, ...]
    server_mb: float | None
    """Resident, at the end."""

    def rows(self) -> list[tuple[str, str]]:
        by_name = {result.name: result for result in self.results}
        similar, bare = by_name["similar, closed"], by_name["bare route, closed"]
        together, alone = by_name["recommendations, closed"], by_name["recommendations, closed, one by one"]
        return [
            *((result.name, result.line()) for result in self.results),
            ("similar / bare route", f"{similar.rate / bare.rate:.0%}"),
            ("micro-batches", f"{together.rate / alone.rate:.2f} x one by one"),
            *([] if self.server_mb is None else [("server's memory", f"{self.server_mb:,.0f} MB")]),
            *super().rows(),
        ]


def benchmark_serving(bundle: Path, *, seconds: float, tell: Callable[[str], None]) -> ServeBenchmark:
    """Each part takes `seconds`; the bare route and ours are asked in the same way, one after the other."""
    meter = LoadMeter()
    similar, recommend = _requests(bundle)
    tell("a bare route, as fast as it goes")
    with _running("recsys.benchmark.bare") as bare:
        results = [_closed("bare route, closed", bare, similar, seconds)]
        results.append(_at("bare route, half of that", bare, similar, seconds, results[0].rate / 2))
    tell("lookups and recommendations")
    with _running("recsys.serving.server", str(bundle), ServeConfig()) as ours:
        results.append(_closed("similar, closed", ours, similar, seconds))
        results.append(_at("similar, half of that", ours, similar, seconds, results[-1].rate / 2))
        results.append(_closed("recommendations, closed", ours, recommend, seconds))
        results.append(_at(f"recommendations, {RATE:.0f}/s", ours, recommend, seconds, RATE))
        memory = resident_memory(ours.pid)
    tell("recommendations one by one")
    with _running("recsys.serving.server", str(bundle), ServeConfig(batch_size=1, batch_delay_ms=0)) as alone:
        results.append(_closed("recommendations, closed, one by one", alone, recommend, seconds))
    return ServeBenchmark(
        setting=Setting.here(f"cpu, {torch.get_num_threads()} threads"),
        load=meter.load(),
        peak_mb=None,
        bundle=str(bundle),
        results=tuple(results),
        server_mb=memory,
    )


def _requests(bundle: Path) -> tuple[list[str], list[str]]:
    """Lookups of known items, and histories of 50 of them."""
    opened = Recommender(open_bundle(bundle))
    random = np.random.default_rng(0)
    known = np.flatnonzero(opened.bundle.known & opened.bundle.candidates)
    asked = opened.catalogue.ids(random.choice(known, NUM_REQUESTS))
    similar = [get(f"/v1/items/{quote(str(item), safe='')}/similar") for item in asked]
    histories = [opened.catalogue.ids(random.choice(known, HISTORY)) for _ in range(NUM_REQUESTS // 4)]
    return similar, [post("/v1/recommendations", {"history": history}) for history in histories]


@dataclass(frozen=True)
class Running:
    pid: int
    port: int


@contextmanager
def _running(module: str, bundle: str = "", config: ServeConfig | None = None) -> Iterator[Running]:
    port = _free_port()
    told = [] if config is None else [bundle, config.model_copy(update={"port": port}).model_dump_json()]
    command = [sys.executable, "-m", module, *(told or [str(port)])]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port, process)
            yield Running(process.pid, port)
        finally:
            process.terminate()


def _free_port() -> int:
    with closing(socket.socket()) as holder:
        holder.bind(("127.0.0.1", 0))
        return int(holder.getsockname()[1])


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise ConfigError("the server did not start: try `recsys serve` on the bundle, which says why")


def _closed(name: str, server: Running, requests: Sequence[str], seconds: float) -> LoadResult:
    return _driven(name, Plan(port=server.port, requests=tuple(requests), connections=CONNECTIONS, seconds=seconds))


def _at(name: str, server: Running, requests: Sequence[str], seconds: float, rate: float) -> LoadResult:
    plan = Plan(port=server.port, requests=tuple(requests), connections=CONNECTIONS, seconds=seconds, rate=rate)
    return _driven(name, plan)


def _driven(name: str, plan: Plan) -> LoadResult:
    """After a second that does not count."""
    for each in (plan.model_copy(update={"seconds": 1.0}), plan):
        command = [sys.executable, "-m", "recsys.benchmark.load"]
        done = subprocess.run(command, input=each.model_dump_json().encode(), capture_output=True, check=True)
    return LoadResult.of(name, Load.model_validate_json(done.stdout))
