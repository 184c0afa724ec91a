"""What a benchmark found: a table to read and a file to keep."""

from pathlib import Path

import torch

from recsys.benchmark.machine import Load, processor
from recsys.durable import write_json
from recsys.section import Section

DIRECTORY = "benchmark"


class Setting(Section):
    """What was measured on."""

    hardware: str
    processor: str
    torch: str

    @classmethod
    def here(cls, hardware: str) -> "Setting":
        name = torch.cuda.get_device_name() if hardware.startswith("cuda") else processor()
        return cls(hardware=hardware, processor=name, torch=torch.__version__)

    @property
    def line(self) -> str:
        return f"{self.hardware}; {self.processor}; torch {self.torch}"


class Matmul(Section):
    """Useful FLOP of the matrix products, against products of the same shapes alone. FLOP/s."""

    useful_flop: float
    """Per click, or per user."""
    useful_rate: float
    alone_rate: float

    @property
    def share(self) -> float:
        return self.useful_rate / self.alone_rate

    def line(self) -> str:
        return (
            f"{self.useful_rate / 1e9:,.1f} GFLOP/s, {self.share:.0%} of the {self.alone_rate / 1e9:,.1f} of matrix "
            f"products of the same shapes"
        )


class Measurement(Section):
    """What was measured where, and whether the machine was quiet."""

    setting: Setting
    load: Load
    peak_mb: float | None
    """Resident memory of the process; None where nobody tells."""

    def rows(self) -> list[tuple[str, str]]:
        """Name and value of what the table shows, the common part."""
        return [
            ("on", self.setting.line),
            ("quiet", self.load.line()),
        ]

    def lines(self) -> list[str]:
        rows = self.rows()
        width = max(len(name) for name, _ in rows)
        return [f"{name:<{width}}  {value}" for name, value in rows]

    def write(self, directory: Path, name: str) -> Path:
        """`directory`/benchmark/`name`.json"""
        path = directory / DIRECTORY / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, self.model_dump(mode="json") | {"is_clean": self.load.is_clean})
        return path


class Benchmark(Measurement):
    """Of what is mostly matrix products."""

    device_peak_mb: float | None
    """Memory allocated on the GPU; None on a CPU."""
    shares: dict[str, float]
    """Of the time, by part."""
    matmul: Matmul | None
    """None where the encoder is of a kind whose products are not counted."""

    def rows(self) -> list[tuple[str, str]]:
        known = [(name, f"{mb:,.0f} MB") for name, mb in self._memory() if mb is not None]
        return [
            ("useful FLOP/s", "not counted for this kind of encoder" if self.matmul is None else self.matmul.line()),
            *known,
            ("share of time", ", ".join(f"{part} {share:.1%}" for part, share in self.shares.items())),
            *super().rows(),
        ]

    def _memory(self) -> list[tuple[str, float | None]]:
        return [("peak memory", self.peak_mb), ("peak GPU memory", self.device_peak_mb)]


class TrainingBenchmark(Benchmark):
    clicks_per_second: float
    """Targets a second of training, validation left out."""
    steps: int
    seconds: float
    clicks_per_step: float
    epoch_seconds: float
    epoch_end_seconds: float
    """Validation, and the checkpoint after it."""

    @property
    def epoch_end_share(self) -> float:
        return self.epoch_end_seconds / (self.epoch_seconds + self.epoch_end_seconds)

    def rows(self) -> list[tuple[str, str]]:
        steps = f"{self.steps:,} steps of {self.clicks_per_step:,.0f} in {self.seconds:.1f} s"
        epoch = f"{self.epoch_seconds:,.1f} s, and {self.epoch_end_seconds:,.1f} s of validation and checkpoint"
        return [
            ("training clicks/s", f"{self.clicks_per_second:,.0f} ({steps})"),
            ("an epoch", f"{epoch} ({self.epoch_end_share:.1%})"),
            *super().rows(),
        ]


class RankingBenchmark(Benchmark):
    examples_per_second: float
    """Of training, validation left out."""
    steps: int
    seconds: float
    candidates: int
    latencies: dict[str, float]
    """Milliseconds to rank one user's candidates, by percentile."""

    def rows(self) -> list[tuple[str, str]]:
        steps = f"{self.steps:,} steps in {self.seconds:.1f} s"
        latencies = ", ".join(f"{name} {value:.1f} ms" for name, value in self.latencies.items())
        return [
            ("training examples/s", f"{self.examples_per_second:,.0f} ({steps})"),
            (f"{self.candidates} candidates", latencies),
            *super().rows(),
        ]


class RecommendBenchmark(Benchmark):
    users_per_second: float
    """Of the median run: histories to lists in Parquet."""
    num_users: int
    k: int
    runs: tuple[float, ...]
    """Users a second of each."""

    def rows(self) -> list[tuple[str, str]]:
        runs = ", ".join(f"{rate:,.0f}" for rate in self.runs)
        return [
            ("users/s", f"{self.users_per_second:,.0f} (top-{self.k} of {self.num_users:,} users; runs: {runs})"),
            *super().rows(),
        ]
