"""Searches a configuration with Optuna, by validation alone: no test click is ever looked at.

Tree-structured Parzen estimators (Bergstra et al. 2011) propose, the median of earlier trials prunes. The only
importer of optuna; knows keys and values, not what they configure.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState
from pydantic import JsonValue

from recsys.durable import write_bytes
from recsys.training.tuning_config import ChoiceDimension, Dimension, IntDimension, TuningConfig

JOURNAL, STUDY = "study.log", "tuning"
MINUTES, FAULT = "minutes", "fault"
Values = Mapping[str, JsonValue]


class Pruned(Exception):  # noqa: N818 - no error: the trial was worse than others at the same epoch
    """The trial has no prospects."""


@dataclass(frozen=True)
class Finished:
    """What a trial came to: its value, or none if it was pruned or its configuration could not be trained."""

    number: int
    values: Values
    score: float | None
    epochs: int
    minutes: float
    fault: str | None

    @property
    def is_pruned(self) -> bool:
        return self.score is None and self.fault is None

    @property
    def has_failed(self) -> bool:
        return self.fault is not None

    @property
    def verdict(self) -> str:
        if self.fault is not None:
            return f"failed: {self.fault}"
        return f"pruned after {self.epochs} epochs" if self.score is None else f"{self.score:.4f}"


class Search:
    """A study in a directory. Opened again, it goes on, first with the trial that was interrupted."""

    def __init__(self, directory: Path, config: TuningConfig, *, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.config = config
        self.seed = seed
        pruner = optuna.pruners.MedianPruner(config.startup_trials, config.warmup_epochs)
        _mend(directory / JOURNAL)
        storage = JournalStorage(JournalFileBackend(str(directory / JOURNAL)))
        self.study = optuna.create_study(
            storage=storage, pruner=pruner, study_name=STUDY, direction="maximize", load_if_exists=True
        )

    def begin_with(self, values: Values) -> None:
        """What the configuration has now is the first trial, as far as the space holds it."""
        if not self.study.get_trials(deepcopy=False):
            first = {d.key: _text(d, values[d.key]) for d in self.config.space if d.holds(values.get(d.key))}
            self.study.enqueue_trial(first)

    @property
    def finished(self) -> list[Finished]:
        return [_finished(trial, self.config.space) for trial in self.study.get_trials() if trial.state.is_finished()]

    @property
    def best(self) -> Finished | None:
        """The trial of the highest value; the earliest of equals."""
        complete = [trial for trial in self.finished if trial.score is not None]
        return max(complete, key=lambda trial: trial.score or 0.0, default=None)

    @property
    def is_over(self) -> bool:
        finished, limit = self.finished, self.config.max_minutes
        spent = sum(trial.minutes for trial in finished)
        return len(finished) >= self.config.trials or (limit is not None and spent >= limit)

    def next(self) -> tuple[int, Values]:
        """The trial to run now, by number: the interrupted one, or a new one."""
        running = self.study.get_trials(states=(TrialState.RUNNING,))
        number = running[0].number if running else len(self.finished)
        # a sampler of its own for each trial: a search that was interrupted proposes what it would have proposed
        sampler_seed = (self.seed * 1_000_003 + number) % 2**32
        self.study.sampler = optuna.samplers.TPESampler(n_startup_trials=self.config.startup_trials, seed=sampler_seed)
        self._trial = Trial(self.study, running[0]._trial_id) if running else self.study.ask()
        return self._trial.number, {d.key: _value(d, self._trial) for d in self.config.space}

    def report(self, epoch: int, score: float) -> None:
        """Raises Pruned where the trial's best so far is below the median of the others' at this epoch."""
        if epoch not in self._reported():
            self._trial.report(score, epoch)
        if self._trial.should_prune():
            raise Pruned

    def complete(self, score: float, *, minutes: float) -> Finished:
        return self._tell(TrialState.COMPLETE, minutes, value=score)

    def prune(self, *, minutes: float) -> Finished:
        return self._tell(TrialState.PRUNED, minutes)

    def fail(self, fault: str, *, minutes: float) -> Finished:
        self._trial.set_user_attr(FAULT, fault)
        return self._tell(TrialState.FAIL, minutes)

    def _reported(self) -> Mapping[int, float]:
        return self.study.get_trials(deepcopy=False)[self._trial.number].intermediate_values

    def _tell(self, state: TrialState, minutes: float, value: float | None = None) -> Finished:
        self._trial.set_user_attr(MINUTES, minutes)
        self.study.tell(self._trial.number, value, state=state)
        return _finished(self.study.get_trials()[self._trial.number], self.config.space)


def _mend(journal: Path) -> None:
    """Takes away what a kill leaves: half a last line, and the lock. Nobody else writes: the workdir is held."""
    journal.with_name(f"{journal.name}.lock").unlink(missing_ok=True)
    if journal.exists():
        content = journal.read_bytes()
        if not content.endswith(b"\n"):
            write_bytes(journal, content[: content.rfind(b"\n") + 1])


def _value(dimension: Dimension, trial: Trial) -> JsonValue:
    match dimension:
        case ChoiceDimension():
            # Optuna's own choices are plain values; a section is one as text
            return json.loads(trial.suggest_categorical(dimension.key, [*map(json.dumps, dimension.values)]))
        case IntDimension():
            return trial.suggest_int(dimension.key, dimension.low, dimension.high, log=dimension.log)
    return trial.suggest_float(dimension.key, dimension.low, dimension.high, log=dimension.log)


def _text(dimension: Dimension, value: JsonValue) -> JsonValue:
    return json.dumps(value) if isinstance(dimension, ChoiceDimension) else value


def _finished(trial: FrozenTrial, space: tuple[Dimension, ...]) -> Finished:
    kinds = {dimension.key: dimension for dimension in space}
    values = {
        key: json.loads(value) if isinstance(kinds.get(key), ChoiceDimension) else value
        for key, value in trial.params.items()
    }
    is_complete = trial.state == TrialState.COMPLETE
    return Finished(
        number=trial.number,
        values=values,
        score=trial.value if is_complete else None,
        epochs=len(trial.intermediate_values),
        minutes=trial.user_attrs.get(MINUTES, 0.0),
        fault=trial.user_attrs.get(FAULT),
    )
