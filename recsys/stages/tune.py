"""Searches a better configuration on the validation clicks, and writes it as a file to run."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from recsys.config import RunConfig, as_yaml, overridden, resolved, value_at
from recsys.data.dataset import open_dataset
from recsys.durable import write_bytes
from recsys.errors import ConfigError
from recsys.section import flatten
from recsys.stages.record import Stage
from recsys.stages.searched import Searched, SearchedRanker, SearchedRetriever
from recsys.stages.session import Session
from recsys.stages.train import name_of
from recsys.stages.trial import TrialRun
from recsys.training.identity import Identity
from recsys.training.tracking_spool import without_password
from recsys.training.tuning import Finished, Search, Values
from recsys.training.tuning_config import ChoiceDimension, Dimension

DIRECTORY, BEST = "tuning", "best.yaml"
SHOWN = 5
MAY_CHANGE = {"trials", "max_minutes"}
"""How long a search goes on is no part of what it searches."""


@dataclass(frozen=True)
class Tuned:
    """Every trial, best first, and the file that has the best one's configuration."""

    trials: tuple[Finished, ...]
    metric: str
    file: Path

    def lines(self) -> list[str]:
        rows = [f"  trial {trial.number}: {trial.verdict}, {_shown(trial.values)}" for trial in self.trials[:SHOWN]]
        pruned, failed = (sum(getattr(trial, name) for trial in self.trials) for name in ("is_pruned", "has_failed"))
        return [
            f"Tuning: {len(self.trials)} trials, {pruned} pruned, {failed} failed; validation {self.metric}",
            *rows,
            f"Best configuration: {self.file}",
            f"  recsys run {self.file}",
        ]


def tune(session: Session, *, restart: bool = False) -> Tuned:
    """Goes on with the search that is there; one of another configuration is a ConfigError, unless `restart`."""
    session.demand_earlier(Stage.RANK if session.config.tuning.is_of_ranker else Stage.TRAIN)
    config, directory = session.config, session.config.workdir / DIRECTORY
    dataset = open_dataset(session.layout.product(Stage.PREPARE))
    _require_keys(config)
    searched = SearchedRanker(session, dataset) if config.tuning.is_of_ranker else SearchedRetriever(dataset)
    searched.require_comparable()
    now = searched.complete(config)
    _claim(_identity(now, searched), directory, restart=restart)
    search = Search(directory, config.tuning, seed=config.seed)
    search.begin_with({dimension.key: _current(now, dimension) for dimension in config.tuning.space})
    while not search.is_over:
        number, values = search.next()
        session.tell(f"trial {number} ({len(search.finished) + 1} of {config.tuning.trials}): {_shown(values)}")
        finished = TrialRun(session, searched, search, directory / f"trial-{number:04d}").run(values)
        best = search.best
        leader = "" if best is None else f"; the best so far is trial {best.number}, {best.verdict}"
        session.tell(f"trial {number}: {finished.verdict}{leader}")
    return _result(session, search, searched.metric, directory / BEST)


def _require_keys(config: RunConfig) -> None:
    """ConfigError for a key that is none, before an hour has gone by."""
    for dimension in config.tuning.space:
        overridden(config, {dimension.key: dimension.example}, overrider=f"tuning.space, {dimension.key}")


def _current(config: RunConfig, dimension: Dimension) -> JsonValue:
    """What the configuration has for a dimension: of a choice, the value that would change nothing."""
    value = value_at(config, dimension.key)
    if not isinstance(dimension, ChoiceDimension):
        return value
    same = (member for member in dimension.values if _changes_nothing(config, dimension.key, member))
    return next(same, None)


def _changes_nothing(config: RunConfig, key: str, value: JsonValue) -> bool:
    try:
        return resolved(overridden(config, {key: value}, overrider="tuning.space")) == resolved(config)
    except ConfigError:
        return False


def _identity(config: RunConfig, searched: Searched) -> Identity:
    space = {f"tuning.{key}": value for key, value in flatten(config.tuning).items() if key not in MAY_CHANGE}
    return Identity({**searched.identity(config), **space})


def _claim(identity: Identity, directory: Path, *, restart: bool) -> None:
    if restart:
        shutil.rmtree(directory, ignore_errors=True)
    differences = identity.differences(directory)
    if differences:
        raise ConfigError(
            f"{directory} holds a search of another configuration: {differences}. "
            f"Set it back to go on, or forget that search with --restart"
        )
    directory.mkdir(parents=True, exist_ok=True)
    identity.claim(directory)


def _result(session: Session, search: Search, metric: str, file: Path) -> Tuned:
    trials = sorted(search.finished, key=lambda trial: (-(trial.score or -1.0), trial.number))
    best = search.best
    if best is None:
        faults = sorted({trial.fault for trial in trials if trial.fault})
        raise ConfigError(f"none of {len(trials)} trials could be trained: {'; '.join(faults[:3])}")
    told = f"trial {best.number} of {len(trials)}: validation {metric} {best.verdict}"
    header = without_password(f"# recsys tune {session.source}\n# {told}\n")
    config = overridden(session.config, {**best.values, **_place(session.config)}, overrider=f"trial {best.number}")
    write_bytes(file, (header + as_yaml(config)).encode())
    session.tracker.log_metrics({f"tuning.validation_{name_of(metric)}": best.score or 0.0})
    session.tracker.log_artifact(file)
    return Tuned(tuple(trials), metric, file)


def _place(config: RunConfig) -> dict[str, JsonValue]:
    """A workdir of its own beside the search's, and no password: the file goes to MLflow."""
    uri = config.tracking.uri
    is_secret = uri is not None and without_password(uri) != uri
    return {"workdir": f"{config.workdir}-tuned", **({"tracking.uri": None} if is_secret else {})}


def _shown(values: Values) -> str:
    return ", ".join(
        f"{key.removeprefix('training.')} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in values.items()
    )
