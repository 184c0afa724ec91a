"""Evaluated work directories, and lists from elsewhere, side by side on the same test users. Changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recsys.errors import BundleError, ConfigError, StaleError
from recsys.evaluation.compare.answers import Run
from recsys.evaluation.compare.click_report import ClickComparison
from recsys.evaluation.compare.clicks import Predicted, compare_clicks, is_predictions
from recsys.evaluation.compare.compare import compare as compare_runs
from recsys.evaluation.compare.report import ComparisonReport
from recsys.evaluation.config import K
from recsys.evaluation.outcome import PREDICTIONS
from recsys.stages.inputs import PRODUCTS, Layout, output
from recsys.stages.record import Stage, read_record

SEED = "seed"


@dataclass(frozen=True)
class Compared:
    """Rankings where the runs have an evaluation, predicted clicks where they have a ranker."""

    rankings: ComparisonReport | None
    clicks: ClickComparison | None
    differences: Sequence[str]
    """What the runs' trainings differ in, a line a key."""

    def lines(self) -> list[str]:
        found = [part.lines() for part in (self.rankings, self.clicks) if part is not None]
        differences = [f"  {line}" for line in self.differences]
        return [*(line for part in found for line in [*part, ""]), "What differs:", *differences]


def compare(named: Sequence[str], *, k: int = K) -> Compared:
    """Runs whose trainings differ in their seed alone are one system; ConfigError where there are fewer than two."""
    paths = list({Path(one).resolve(): Path(one) for one in named}.values())
    files = {name: path for name, path in _named(paths).items() if path.is_file()}
    own = {name: path for name, path in _named(paths).items() if name not in files}
    if len(paths) < 2 or not own:
        raise ConfigError(
            "compare takes two work directories or more, as in `recsys compare runs/a runs/b`, or one and a Parquet "
            "file: another system's lists (user_id, item_id, rank) or predictions (user, item, label, logit)"
        )
    predicts = {name for name, path in files.items() if is_predictions(path)}
    have_rankers = all(_has(path, Stage.RANK) for path in own.values())
    of_clicks = have_rankers and predicts == files.keys()
    of_rankings = not predicts and (not of_clicks or all(_has(path, Stage.EVALUATE) for path in own.values()))
    if not of_clicks and not of_rankings:
        raise ConfigError("a file of predictions is compared with rankers: run `recsys rank` in every work directory")
    stages = [stage for stage, wanted in ((Stage.TRAIN, of_rankings), (Stage.RANK, of_clicks)) if wanted]
    trained = {
        name: {key: value for stage in stages for key, value in _inputs(path, stage).items()}
        for name, path in own.items()
    }
    groups = _groups(trained)
    runs = [Run(name=name, group=groups.get(name, name), path=path) for name, path in (own | files).items()]
    return Compared(
        rankings=compare_runs(runs, k=k) if of_rankings else None,
        clicks=compare_clicks([_predicted(run) for run in runs]) if of_clicks else None,
        differences=_differences(trained),
    )


def _has(workdir: Path, stage: Stage) -> bool:
    return stage in read_record(workdir).stages


def _predicted(run: Run) -> Predicted:
    path = run.path if run.is_foreign else Layout(run.path).product(Stage.RANK) / PREDICTIONS
    return Predicted(run.name, run.group, path)


def _named(paths: Sequence[Path]) -> dict[str, Path]:
    """By the directories' own names where these are all different."""
    short = {path.resolve().name: path for path in paths}
    return short if len(short) == len(paths) else {str(path): path for path in paths}


def _inputs(workdir: Path, stage: Stage) -> Mapping[str, str]:
    """Of the training of a retriever or a ranker; BundleError where what is compared is not what was left there."""
    stages, judged = read_record(workdir).stages, Stage.EVALUATE if stage is Stage.TRAIN else stage
    for needed in (stage, judged):
        if needed not in stages:
            raise ConfigError(
                f"{workdir} is no work directory with an evaluation: its run.json knows of no `{needed}`; "
                f"run `recsys run CONFIG workdir={workdir}` first"
            )
    trained, known = stages[stage], stages[judged]
    if judged is not stage and known.inputs[f"the {PRODUCTS[stage]}"] != trained.output:
        raise StaleError(f"{workdir} was trained anew after its evaluation: run `recsys evaluate` there first")
    if output(judged, Layout(workdir)) != known.output:
        what = "evaluation" if judged is not stage else "ranker"
        raise BundleError(f"the {what} in {workdir} is not what `recsys {judged}` left there: run it again")
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
