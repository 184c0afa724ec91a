"""Configurations that differ in their mixer: what a step of each takes, and how well each ranks after a while.

All that is found is kept under `out`, and not looked for again: a step's numbers in steps/, a training's workdir
beside it. A changed configuration is measured anew; after a change of the code, delete what it concerns.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from recsys.benchmark.machine import Load, LoadMeter
from recsys.benchmark.mixer_results import MixerResult, MixersBenchmark, MixerTraining
from recsys.benchmark.mixer_step import StepPlan, StepPoint
from recsys.benchmark.mixer_training import trained_here
from recsys.benchmark.mixers_plot import mixers_plot
from recsys.benchmark.results import Setting
from recsys.durable import write_bytes, write_json
from recsys.errors import BusyError, ConfigError, DataError, DiskError, StaleError, UserError
from recsys.model.retriever import RetrieverConfig
from recsys.nn.encoder import Encoder
from recsys.section import Section
from recsys.stages.prepare import prepare
from recsys.stages.session import Session
from recsys.training.config import TrainingConfig
from recsys.training.hardware import choose_hardware

TOKENS = 4_000


@dataclass(frozen=True)
class Variant:
    """A configuration. `opened` holds its workdir, with so many more `key=value` overrides."""

    name: str
    model: RetrieverConfig
    training: TrainingConfig
    opened: Callable[[Sequence[str]], AbstractContextManager[Session]]


@dataclass(frozen=True)
class Wanted:
    """0 `minutes` train nothing. `best`: how many of the variants are trained with more seeds than the first; all
    where it is None. `step_seconds`: how long steps are timed."""

    lengths: Sequence[int]
    out: Path
    minutes: float = 0.0
    seeds: Sequence[int] = (0,)
    best: int | None = None
    step_seconds: float = 5.0


@dataclass(frozen=True)
class MeasuredMixers:
    benchmark: MixersBenchmark
    files: tuple[Path, ...]

    def lines(self) -> list[str]:
        return [*self.benchmark.lines(), *(f"written to {file}" for file in self.files)]


class KeptStep(Section):
    plan: StepPlan
    setting: Setting
    point: StepPoint


FREE = {"mixer", "positions", "feedforward", "residual", "norm", "depth", "layer_drop"}
"""Keys of `model` in which configurations may differ: what a block is."""


def measure_mixers(variants: Sequence[Variant], wanted: Wanted, *, tell: Callable[[str], None]) -> MeasuredMixers:
    """First the steps of all, then the trainings; leaves benchmark/mixers.json and the plots in `wanted.out`."""
    _require_comparable(variants)
    hardware, meter = choose_hardware(variants[0].training), LoadMeter()
    steps = [_steps(variant, wanted, f"({number} of {len(variants)})", tell) for number, variant in _counted(variants)]
    trainings = _trainings(variants, wanted, tell) if wanted.minutes > 0 else [()] * len(variants)
    found = MixersBenchmark(
        setting=Setting.here(str(hardware)),
        load=Load.worst(
            [
                meter.load(),
                *(step.load for points in steps for step in points),
                *(training.load for done in trainings for training in done),
            ]
        ),
        peak_mb=None,
        dim=variants[0].model.dim,
        num_blocks=variants[0].model.num_blocks,
        tokens=TOKENS,
        lengths=tuple(wanted.lengths),
        minutes=wanted.minutes,
        mixers=tuple(map(_result, variants, steps, trainings)),
    )
    file = found.write(wanted.out, "mixers")
    write_bytes(file.with_suffix(".svg"), str(mixers_plot(found)).encode())
    return MeasuredMixers(found, (file, file.with_suffix(".svg")))


def _require_comparable(variants: Sequence[Variant]) -> None:
    names = [variant.name for variant in variants]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"two configurations are called {twice[0]}: name each file otherwise")
    first, *others = map(_shared_keys, variants)
    for variant, keys in zip(variants[1:], others, strict=True):
        differing = sorted(key for key in first.keys() | keys.keys() if first.get(key) != keys.get(key))
        if differing:
            raise ConfigError(
                f"mixers are compared in one encoder, trained in one way, and {names[0]} and {variant.name} differ in "
                f"{', '.join(differing)}; set each alike in both (model.{', model.'.join(sorted(FREE))} may differ)"
            )


def _shared_keys(variant: Variant) -> dict[str, object]:
    model, training = variant.model.model_dump(mode="json", exclude=FREE), variant.training.model_dump(mode="json")
    return {f"model.{key}": model[key] for key in model} | {f"training.{key}": training[key] for key in training}


def _counted(variants: Sequence[Variant]) -> "enumerate[Variant]":
    return enumerate(variants, start=1)


def _result(variant: Variant, steps: tuple[StepPoint, ...], trainings: tuple[MixerTraining, ...]) -> MixerResult:
    model = variant.model
    parts = Encoder(model, max_length=model.num_places), model.build_event_embedding()
    return MixerResult(
        name=variant.name,
        kind=model.mixer.kind,
        parameters=sum(parameter.numel() for part in parts for parameter in part.parameters()),
        steps=steps,
        trainings=trainings,
    )


def _steps(variant: Variant, wanted: Wanted, which: str, tell: Callable[[str], None]) -> tuple[StepPoint, ...]:
    """At each length."""
    hardware, points = choose_hardware(variant.training), []
    setting = Setting.here(str(hardware))
    for length in wanted.lengths:
        plan = StepPlan(
            model=variant.model,
            length=length,
            tokens=TOKENS,
            device=hardware.device,
            precision=hardware.precision,
            threads=hardware.threads,
            seconds=wanted.step_seconds,
        )
        point = _kept_or_measured(plan, setting, wanted.out / "steps" / f"{variant.name}-{length}.json", tell)
        found = point.fault or f"{point.milliseconds_text} ms, {point.memory_text} MB"
        tell(f"{variant.name} {which}, {point.rows:,} x {length:,} clicks: {found}")
        points.append(point)
    return tuple(points)


def _kept_or_measured(plan: StepPlan, setting: Setting, file: Path, tell: Callable[[str], None]) -> StepPoint:
    """What went wrong is tried again, and what was measured on another machine."""
    if file.exists():
        kept = KeptStep.read(file, remedy="delete it, and measure again")
        if (kept.plan, kept.setting) == (plan, setting):
            tell(f"measured before: {file}")
            return kept.point
    meter = LoadMeter()
    point = measured_alone(plan)
    point = point.model_copy(update={"load": meter.load()})
    if not point.has_failed:
        write_json(file, KeptStep(plan=plan, setting=setting, point=point).model_dump(mode="json"))
    return point


def measured_alone(plan: StepPlan) -> StepPoint:
    """In a process of its own, whose end is nobody else's."""
    command = [sys.executable, "-m", "recsys.benchmark.mixer_step"]
    done = subprocess.run(command, input=plan.model_dump_json().encode(), capture_output=True, check=False)
    if done.returncode == 0:
        return StepPoint.model_validate_json(done.stdout)
    if done.returncode == -signal.SIGALRM:
        return plan.given_up(plan.too_slow)
    said = done.stderr.decode(errors="replace").strip().splitlines()
    how = f"killed by signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    return plan.given_up(f"failed: {said[-1] if said else how}")


def _trainings(
    variants: Sequence[Variant], wanted: Wanted, tell: Callable[[str], None]
) -> list[tuple[MixerTraining, ...]]:
    """Of each variant: all with the first seed, and then the best of them with the others."""
    first, *others = wanted.seeds
    done = {variant.name: [_trained(variant, wanted, first, tell)] for variant in variants}
    best = sorted(done, key=lambda name: done[name][0].validation or 0.0, reverse=True)[: wanted.best]
    for seed in others:
        for variant in variants:
            if variant.name in best:
                done[variant.name].append(_trained(variant, wanted, seed, tell))
    return [tuple(done[variant.name]) for variant in variants]


def _trained(variant: Variant, wanted: Wanted, seed: int, tell: Callable[[str], None]) -> MixerTraining:
    """Of a training that fails by itself, why; what is amiss with the log or the disk ends the whole benchmark."""
    tell(f"{variant.name}, seed {seed}: {wanted.minutes:g} minutes of training")
    changes = [
        f"workdir={wanted.out / f'{variant.name}-{wanted.minutes:g}min-seed{seed}'}",
        f"seed={seed}",
        f"training.max_minutes={wanted.minutes}",
        "tracking.kind=none",
    ]
    try:
        with variant.opened(changes) as session:
            prepare(session)
            outcome, load = trained_here(session, Setting.here(str(choose_hardware(variant.training))))
            return MixerTraining(seed=seed, minutes=wanted.minutes, load=load, outcome=outcome)
    except (ConfigError, DataError, StaleError, BusyError, DiskError):
        raise
    except (UserError, RuntimeError, MemoryError) as error:
        fault = (str(error) or type(error).__name__).splitlines()[0]
        return MixerTraining(seed=seed, minutes=wanted.minutes, fault=fault)
