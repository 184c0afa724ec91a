"""Trains the retriever on the prepared dataset. Needs no Polars, no FAISS and, with tracking off, no MLflow."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from recsys.config import RunConfig
from recsys.data.dataset import Dataset, open_dataset
from recsys.errors import DataError, StaleError
from recsys.model.retriever import Retriever
from recsys.section import flatten
from recsys.stages.record import Stage
from recsys.stages.session import Session
from recsys.stages.suited import choices, suited
from recsys.training.engine import fit, forget
from recsys.training.outcome import TrainingOutcome, load_best, read_outcome
from recsys.training.reporting import EpochRecord
from recsys.training.retrieval_job import RetrievalJob


@dataclass(frozen=True)
class Trained:
    directory: Path
    outcome: TrainingOutcome

    def lines(self) -> list[str]:
        outcome = self.outcome
        score = "" if outcome.validation is None else f", validation NDCG@10 {outcome.validation:.4f}"
        return [
            f"Model: {self.directory}",
            f"  {len(outcome.history)} epochs, {outcome.clicks:,} clicks in {outcome.minutes:.1f} minutes; "
            f"kept epoch {outcome.best_epoch}{score}",
        ]


def train(session: Session, *, restart: bool = False) -> Trained:
    """Resumes by itself, and trains anew what has finished under another configuration or on another dataset.

    `restart` forgets what was trained before, also if it is unfinished.
    """
    session.demand_earlier(Stage.TRAIN)
    directory = session.layout.product(Stage.TRAIN)
    if restart:
        session.forget(Stage.TRAIN)
    elif _has_refit(session) and session.is_current(Stage.TRAIN):
        outcome = read_outcome(directory)
        assert outcome is not None
        return Trained(directory, outcome)
    session.demand_unaltered(Stage.TRAIN)
    dataset = open_dataset(session.layout.product(Stage.PREPARE))
    for choice in choices(session.config, dataset):
        session.tell(f"chosen for this log: {choice.key}={choice.value} ({choice.reason})")
    config = suited(session.config, dataset)
    job = job_of(config, dataset, directory)
    _require_validation(job)
    with session.recording(Stage.TRAIN):
        session.tracker.log_params(flatten(config) | _facts(dataset))
        outcome = fit(job, restart=restart, tell=session.tell, on_epoch=log_to(session))
        if config.training.refit:
            session.tell(f"once more, with the validation clicks, {outcome.best_epoch} epochs")
            fit(refit_job(job, outcome, refit_directory(session)), tell=session.tell)
    return Trained(directory, outcome)


def _has_refit(session: Session) -> bool:
    """Whether there is a refit where one is wanted; where none is, what an earlier command left of one goes."""
    if session.config.training.refit:
        return read_outcome(refit_directory(session)) is not None
    forget(refit_directory(session))
    return True


def _require_validation(job: RetrievalJob) -> None:
    if job.training.refit and not len(job.dataset.split.validation(job.dataset.histories)):
        raise DataError(
            "training.refit trains once more with the validation clicks, and there are none: "
            "set data.split.validation_share, or leave training.refit out"
        )


def retrieval_job(session: Session) -> RetrievalJob:
    """What the configuration and the prepared dataset ask for."""
    dataset = open_dataset(session.layout.product(Stage.PREPARE))
    return job_of(suited(session.config, dataset), dataset, session.layout.product(Stage.TRAIN))


def job_of(config: RunConfig, dataset: Dataset, directory: Path) -> RetrievalJob:
    """The training of a configuration on a dataset, left in a directory."""
    return RetrievalJob(
        dataset=dataset,
        model=config.model,
        training=config.training,
        exclude_seen=config.recommend.exclude_seen,
        seed=config.seed,
        directory=directory,
    )


def refit_job(job: RetrievalJob, outcome: TrainingOutcome, directory: Path) -> RetrievalJob:
    """The training that follows: the epochs that were best, on the training and the validation clicks."""
    training = job.training.model_copy(update={"max_epochs": outcome.best_epoch, "max_minutes": None})
    return replace(job, dataset=job.dataset.with_validation(), training=training, directory=directory)


def refit_directory(session: Session) -> Path:
    return session.layout.product(Stage.TRAIN) / "refit"


def load_refit(session: Session) -> Retriever:
    """StaleError where it is gone."""
    directory = refit_directory(session)
    if read_outcome(directory) is None:
        raise StaleError(f"{directory} is missing: run `recsys train {session.source}` first")
    return load_best(directory)


def _facts(dataset: Dataset) -> dict[str, str]:
    return {
        "dataset.fingerprint": dataset.fingerprint,
        "dataset.users": str(len(dataset.users)),
        "dataset.items": str(len(dataset.items)),
        "dataset.clicks": str(dataset.histories.num_events),
    }


def log_to(session: Session, metric: str = "NDCG@10", prefix: str = "") -> Callable[[EpochRecord], None]:
    """Tells each epoch, to people and to MLflow, where names begin with `prefix`."""

    def log(record: EpochRecord) -> None:
        values = asdict(record)
        values |= values.pop("measures")
        values[f"validation_{name_of(metric)}"] = values.pop("validation")
        epoch = values.pop("epoch")
        told = {f"{prefix}{key}": value for key, value in values.items() if value is not None}
        session.tracker.log_metrics(told, step=epoch)
        verdict = "" if record.validation is None else f", validation {metric} {record.validation:.4f}"
        session.tell(
            f"epoch {record.epoch}: loss {record.loss:.3f}, {record.clicks_per_second:,.0f} clicks/s{verdict}, "
            f"{record.minutes:.1f} min"
        )

    return log


def name_of(metric: str) -> str:
    """In MLflow's names: NDCG@10 is ndcg."""
    return metric.partition("@")[0].lower()
