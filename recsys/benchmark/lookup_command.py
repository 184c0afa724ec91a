"""What `recsys benchmark lookup` does: measures, and leaves benchmark/lookup.json and the plot."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from recsys.benchmark.lookup import benchmark_lookups
from recsys.benchmark.lookup_results import LookupBenchmark
from recsys.benchmark.recall_plot import recall_plot
from recsys.benchmark.vectors import vectors_of
from recsys.durable import write_bytes
from recsys.errors import ConfigError
from recsys.index.config import Approximate, ApproximateIndex, IndexConfig
from recsys.index.trial import LEAST_ROWS


@dataclass(frozen=True)
class MeasuredLookups:
    benchmark: LookupBenchmark
    files: tuple[Path, ...]

    def lines(self) -> list[str]:
        return [*self.benchmark.lines(), *(f"written to {file}" for file in self.files)]


def measure_lookups(
    source: str, *, kind: str | None, kinds: Sequence[str], out: Path, tell: Callable[[str], None]
) -> MeasuredLookups:
    config, tried = None if kind is None else _config(kind), [_approximate(name) for name in kinds]
    looked = vectors_of(source)
    if tried and len(looked.vectors) < LEAST_ROWS:
        raise ConfigError(f"kinds are drawn of {LEAST_ROWS:,} vectors at least, {source} has {len(looked.vectors):,}")
    found = benchmark_lookups(looked, config, tried, tell=tell)
    files = [found.write(out, "lookup")]
    if found.kinds:
        exact = max(row.queries_per_second for row in found.searches if row.name == "exact")
        files.append(files[0].with_suffix(".svg"))
        write_bytes(files[-1], str(recall_plot(found.kinds, exact, looked.name)).encode())
    return MeasuredLookups(found, tuple(files))


def _config(kind: str) -> IndexConfig:
    adapter: TypeAdapter[IndexConfig] = TypeAdapter(IndexConfig)
    try:
        return adapter.validate_python({"kind": kind})
    except ValidationError:
        raise ConfigError(f"no index is of kind {kind!r}: take auto, flat, ivf, sq, pq or hnsw") from None


def _approximate(kind: str) -> ApproximateIndex:
    config = _config(kind)
    if not isinstance(config, Approximate):
        raise ConfigError(f"{kind} has no recall to draw: take ivf, sq, pq or hnsw")
    return config
