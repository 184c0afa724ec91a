"""Evaluated work directories, and lists from elsewhere, side by side on the same test users. Changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recsys.errors import BundleError, ConfigError, DataError, StaleError
from recsys.evaluation.click_result import OF_PROBABILITIES, ClickResult
from recsys.evaluation.compare.answers import Run
from recsys.evaluation.compare.click_report import ClickComparison
from recsys.evaluation.compare.clicks import Predicted, compare_clicks, is_predictions
from recsys.evaluation.compare.compare import compare as compare_runs
from recsys.evaluation.compare.report import ComparisonReport
from recsys.evaluation.config import K
from recsys.evaluation.outcome import CLICKS, PREDICTIONS
from recsys.stages.inputs import PRODUCTS, Layout, output
from recsys.stages.record import Stage, read_record

SEED = "seed"
Trainings = Mapping[str, Mapping[str, str]]
"""Run -> all that what was trained there is a function of."""


@dataclass(frozen=True)
class Compared:
    """Rankings where the runs have an evaluation, predicted clicks where they have a ranker."""

    rankings: ComparisonReport | None
    clicks: ClickComparison | None
    note: str | None
    """Why the rankers could not be compared."""
    differences: Sequence[str]
    """What the runs' trainings differ in, a line a key."""

    def lines(self) -> list[str]:
        found = [part.lines() for part in (self.rankings, self.clicks) if part is not None]
        notes = [] if self.note is None else [f"Predicted clicks are not compared: {self.note}", ""]
        differences = [f"  {line}" for line in self.differences]
        return [*(line for part in found for line in [*part, ""]), *notes, "What differs:", *differences]


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
    wanted = _wanted(own, files)
    trained = {stage: {name: _inputs(path, stage) for name, path in own.items()} for stage in wanted}
    rankings = compare_runs(_runs(own | files, trained[Stage.TRAIN]), k=k) if Stage.TRAIN in wanted else None
    clicks = note = None
    if Stage.RANK in wanted:
        try:
            clicks = compare_clicks([_predicted(run) for run in _runs(own | files, _of_rankers(own, trained))])
        except DataError as error:
            if rankings is None:
                raise
            note = str(error)
    merged = {name: {key: value for of in trained.values() for key, value in of[name].items()} for name in own}
    return Compared(rankings, clicks, note, _differences(merged))


def _wanted(own: Mapping[str, Path], files: Mapping[str, Path]) -> list[Stage]:
    """Whose products are compared: the retriever's rankings, the ranker's predictions, or both."""
    predicts = [name for name, path in files.items() if is_predictions(path)]
    if predicts and len(predicts) < len(files):
        raise ConfigError(f"of the files {', '.join(files)} some are predictions and some are lists: compare one kind")
    have_rankers = all(_has(path, Stage.RANK) for path in own.values())
    if predicts and not have_rankers:
        raise ConfigError("a file of predictions is compared with rankers: run `recsys rank` in every work directory")
    of_clicks = have_rankers and bool(predicts or not files)
    of_rankings = not predicts and (not of_clicks or all(_has(path, Stage.EVALUATE) for path in own.values()))
    return [stage for stage, is_wanted in ((Stage.TRAIN, of_rankings), (Stage.RANK, of_clicks)) if is_wanted]


def _of_rankers(own: Mapping[str, Path], trained: Mapping[Stage, Trainings]) -> Trainings:
    """What rankers are a function of: in the place of the retriever itself, where one reads it, what that came from."""
    retriever = f"the {PRODUCTS[Stage.TRAIN]}"
    found = {}
    for name, inputs in trained[Stage.RANK].items():
        of_retriever = read_record(own[name]).stages.get(Stage.TRAIN) if retriever in inputs else None
        kept = {key: value for key, value in inputs.items() if key != retriever}
        found[name] = kept | (dict(of_retriever.inputs) if of_retriever is not None else {})
    return found


def _runs(paths: Mapping[str, Path], trained: Trainings) -> list[Run]:
    groups = _groups(trained)
    return [Run(name=name, group=groups.get(name, name), path=path) for name, path in paths.items()]


def _has(workdir: Path, stage: Stage) -> bool:
    return stage in read_record(workdir).stages


def _predicted(run: Run) -> Predicted:
    if run.is_foreign:
        return Predicted(run.name, run.group, run.path)
    directory = Layout(run.path).product(Stage.RANK)
    result = ClickResult.read(directory / CLICKS, remedy="run `recsys rank` again")
    is_calibrated = not result.metrics or any(name in result.metrics for name in OF_PROBABILITIES)
    return Predicted(run.name, run.group, directory / PREDICTIONS, is_calibrated)


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


def _groups(trained: Trainings) -> dict[str, str]:
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


def _differences(trained: Trainings) -> list[str]:
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
