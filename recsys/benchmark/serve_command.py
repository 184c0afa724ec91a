"""What `recsys benchmark serve` does: measures a bundle's server, or that of made vectors, and leaves serve.json."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from recsys.benchmark.commands import Measured
from recsys.benchmark.made_bundle import publish_made
from recsys.benchmark.serve import benchmark_serving
from recsys.benchmark.vectors import MADE


def measure_serving(source: str, *, seconds: float, out: Path, tell: Callable[[str], None]) -> Measured:
    with tempfile.TemporaryDirectory() as directory:
        is_made = MADE.fullmatch(source) is not None
        bundle = publish_made(source, Path(directory), tell=tell) if is_made else Path(source)
        found = benchmark_serving(bundle, seconds=seconds, tell=tell)
    return Measured(found.model_copy(update={"bundle": source}), found.write(out, "serve"))
