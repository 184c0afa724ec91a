"""What a benchmark of mixers found: a table, a file, and what did not go well."""

from collections.abc import Iterator
from statistics import mean

from recsys.benchmark.machine import Load
from recsys.benchmark.mixer_step import StepPoint
from recsys.benchmark.results import Measurement
from recsys.section import Section
from recsys.training.outcome import TrainingOutcome


class MixerTraining(Section):
    seed: int
    minutes: float
    """As many as it was given."""
    load: Load = Load(others=None)
    """Of the machine meanwhile; unknown where something else than a benchmark trained it."""
    outcome: TrainingOutcome | None = None
    fault: str | None = None
    """Why there is no outcome."""

    @property
    def validation(self) -> float | None:
        return None if self.outcome is None else self.outcome.validation


class MixerResult(Section):
    """Of one configuration."""

    name: str
    """Of its file, without the ending."""
    kind: str
    parameters: int
    """Of the encoder, for the configuration's `max_length`, and of positions; items' vectors are not among them."""
    steps: tuple[StepPoint, ...]
    trainings: tuple[MixerTraining, ...] = ()

    @property
    def validations(self) -> list[float]:
        """NDCG@10 of each training that has one."""
        return [each.validation for each in self.trainings if each.validation is not None]

    def cells(self) -> list[str]:
        times, sizes = [step.milliseconds_text for step in self.steps], [step.memory_text for step in self.steps]
        return [self.name, f"{self.parameters:,}", *times, *sizes, *([self._quality()] if self.trainings else [])]

    def faults(self) -> Iterator[str]:
        for step in self.steps:
            if step.fault is not None:
                yield f"{self.name}, {step.length:,} clicks: {step.fault}"
        for training in self.trainings:
            if training.fault is not None:
                yield f"{self.name}, seed {training.seed}: not trained: {training.fault}"

    def _quality(self) -> str:
        """The mean over seeds, and the lowest and highest where there are several."""
        found = self.validations
        if not found:
            return "-"
        span = f" ({min(found):.4f}-{max(found):.4f})" if len(found) > 1 else ""
        return f"{mean(found):.4f}{span}"


class MixersBenchmark(Measurement):
    dim: int
    num_blocks: int
    tokens: int
    """Of a step: rows times clicks."""
    lengths: tuple[int, ...]
    minutes: float
    mixers: tuple[MixerResult, ...]

    def lines(self) -> list[str]:
        faults = [fault for mixer in self.mixers for fault in mixer.faults()]
        return [
            f"A training step of {self.num_blocks} blocks {self.dim} wide on {self.tokens:,} clicks, forward and "
            f"backward: ms, and MB beyond weights and inputs, by the clicks of a row",
            "",
            *_aligned([self._header(), *(mixer.cells() for mixer in self.mixers)]),
            *(["", "Not measured:", *(f"  {fault}" for fault in faults)] if faults else []),
            "",
            *super().lines(),
        ]

    def _header(self) -> list[str]:
        columns = [f"{unit} {length:,}" for unit in ("ms", "MB") for length in self.lengths]
        trained = any(mixer.trainings for mixer in self.mixers)
        quality = [f"NDCG@10, {self.minutes:g} min"] if trained else []
        return ["mixer", "parameters", *columns, *quality]


def _aligned(rows: list[list[str]]) -> list[str]:
    """Names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{cell:<{width}}" if place == 0 else f"{cell:>{width}}"
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
