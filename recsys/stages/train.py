"""Trains the retriever on the prepared dataset. Needs no Polars, no FAISS and, with tracking off, no MLflow."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from recsys.data.dataset import Dataset, open_dataset
from recsys.section import flatten
from recsys.stages.record import Stage
from recsys.stages.session import Session
from recsys.training.fit import RetrievalJob, fit_retriever
from recsys.training.outcome import TrainingOutcome, read_outcome
from recsys.training.reporting import EpochRecord


@dataclass(frozen=True)
class Trained:
    directory: Path
    outcome: TrainingOutcome

    def lines(self) -> list[str]:
        outcome = self.outcome
        score = "" if outcome.validation_ndcg is None else f", validation NDCG@10 {outcome.validation_ndcg:.4f}"
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
    config, directory = session.config, session.layout.product(Stage.TRAIN)
    if restart:
        session.forget(Stage.TRAIN)
    elif session.is_current(Stage.TRAIN):
        outcome = read_outcome(directory)
        assert outcome is not None
        return Trained(directory, outcome)
    session.demand_unaltered(Stage.TRAIN)
    job = retrieval_job(session)
    with session.recording(Stage.TRAIN):
        session.tracker.log_params(flatten(config) | _facts(job.dataset))
        outcome = fit_retriever(job, restart=restart, tell=session.tell, on_epoch=_log_to(session))
    return Trained(directory, outcome)


def retrieval_job(session: Session) -> RetrievalJob:
    """What the configuration asks for, on the prepared dataset."""
    config = session.config
    return RetrievalJob(
        dataset=open_dataset(session.layout.product(Stage.PREPARE)),
        model=config.model,
        training=config.training,
        exclude_seen=config.recommend.exclude_seen,
        seed=config.seed,
        directory=session.layout.product(Stage.TRAIN),
    )


def _facts(dataset: Dataset) -> dict[str, str]:
    return {
        "dataset.fingerprint": dataset.fingerprint,
        "dataset.users": str(len(dataset.users)),
        "dataset.items": str(len(dataset.items)),
        "dataset.clicks": str(dataset.histories.num_events),
    }


def _log_to(session: Session) -> Callable[[EpochRecord], None]:
    def log(record: EpochRecord) -> None:
        values = {name: value for name, value in asdict(record).items() if name != "epoch" and value is not None}
        session.tracker.log_metrics(values, step=record.epoch)
        verdict = "" if record.validation_ndcg is None else f", validation NDCG@10 {record.validation_ndcg:.4f}"
        session.tell(
            f"epoch {record.epoch}: loss {record.loss:.3f}, {record.clicks_per_second:,.0f} clicks/s{verdict}, "
            f"{record.minutes:.1f} min"
        )

    return log
