"""Evaluated work directories, and lists from elsewhere, side by side on the same test users. Changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recsys.errors import BundleError, ConfigError, StaleError
from recsys.evaluation.compare.answers import Run
from recsys.evaluation.compare.compare import compare as compare_runs
from recsys.evaluation.compare.report import ComparisonReport
from recsys.evaluation.config import K
from recsys.stages.inputs import PRODUCTS, Layout, output
from recsys.stages.record import Stage, read_record

SEED = "seed"


@dataclass(frozen=True)
class Compared:
    report: ComparisonReport
    differences: Sequence[str]
    """What the runs' trainings differ in, a line a key."""

    def lines(self) -> list[str]:
        return [*self.report.lines(), "", "What differs:", *(f"  {line}" for line in self.differences)]


def compare(named: Sequence[str], *, k: int = K) -> Compared:
    """Runs whose trainings differ in their seed alone are one system; ConfigError where there are fewer than two."""
    paths = list({Path(one).resolve(): Path(one) for one in named}.values())
    foreign = {name: path for name, path in _named(paths).items() if path.is_file()}
    own = {name: path for name, path in _named(paths).items() if name not in foreign}
    if len(paths) < 2 or not own:
        raise ConfigError(
            "compare takes two work directories or more, as in `recsys compare runs/a runs/b`, or one and a Parquet "
            "file of another system's lists"
        )
    trained = {name: _training_inputs(path) for name, path in own.items()}
    groups = _groups(trained)
    runs = [Run(name=name, group=groups.get(name, name), path=path) for name, path in (own | foreign).items()]
    return Compared(compare_runs(runs, k=k), _differences(trained))


def _named(paths: Sequence[Path]) -> dict[str, Path]:
    """By the directories' own names where these are all different."""
    short = {path.resolve().name: path for path in paths}
    return short if len(short) == len(paths) else {str(path): path for path in paths}


def _training_inputs(workdir: Path) -> Mapping[str, str]:
    """Of the training whose evaluation lies there; BundleError where that is not what was left there."""
    stages = read_record(workdir).stages
    for stage in (Stage.TRAIN, Stage.EVALUATE):
        if stage not in stages:
            raise ConfigError(
                f"{workdir} is no work directory with an evaluation: its run.json knows of no `{stage}`; "
                f"run `recsys run CONFIG workdir={workdir}` first"
            )
    trained, evaluated = stages[Stage.TRAIN], stages[Stage.EVALUATE]
    if evaluated.inputs[f"the {PRODUCTS[Stage.TRAIN]}"] != trained.output:
        raise StaleError(f"{workdir} was trained anew after its evaluation: run `recsys evaluate` there first")
    if output(Stage.EVALUATE, Layout(workdir)) != evaluated.output:
        raise BundleError(f"the evaluation in {workdir} is not what `recsys evaluate` left there: run it again")
    return trained.inputs


def _groups(trained: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Run -> the name of its system: the first run's that was trained alike but for the seed.

    Equal seeds are no two trainings: they, and the runs of what would be the only system, are compared one by one.
    """
    first: dict[frozenset[tuple[str, str]], str] = {}
    groups = {
        name: first.setdefault(frozenset((key, value) for key, value in inputs.items() if key != SEED), name)
        for name, inputs in trained.items()
    }
    seeds = {(groups[name], inputs[SEED]) for name, inputs in trained.items()}
    return groups if len(first) > 1 and len(seeds) == len(trained) else {name: name for name in trained}


def _differences(trained: Mapping[str, Mapping[str, str]]) -> list[str]:
    keys = sorted({key for inputs in trained.values() for key in inputs})
    found = {key: [inputs.get(key, "(none)") for inputs in trained.values()] for key in keys}
    told = [
        f"{key}: {' | '.join(_short(value) for value in values)}"
        for key, values in found.items()
        if len(set(values)) > 1
    ]
    return told or ["nothing that training depends on"]


def _short(value: str) -> str:
    return value if len(value) <= 24 else f"{value[:12]}..."
