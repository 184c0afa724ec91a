"""Trains the ranker on labelled examples, and predicts the clicks of the test part."""

from dataclasses import dataclass
from pathlib import Path

from recsys.data.dataset import open_dataset
from recsys.data.example_batches import ExampleReader
from recsys.evaluation.click_result import ClickResult, write_predictions
from recsys.evaluation.outcome import CLICKS
from recsys.model.ranking.ranker import Ranker
from recsys.model.ranking.store import load_ranker
from recsys.section import flatten
from recsys.stages.ranking import RankerData, ranker_section
from recsys.stages.record import Stage
from recsys.stages.session import Session
from recsys.stages.train import log_to
from recsys.training.engine import fit
from recsys.training.outcome import BEST, TrainingOutcome, read_outcome
from recsys.training.ranking_judge import predict


@dataclass(frozen=True)
class RankerTrained:
    directory: Path
    outcome: TrainingOutcome
    metric: str
    """What it was validated by."""
    result: ClickResult

    def lines(self) -> list[str]:
        outcome = self.outcome
        score = "" if outcome.validation is None else f", validation {self.metric} {outcome.validation:.4f}"
        return [
            f"Ranker: {self.directory}",
            f"  {len(outcome.history)} epochs, {outcome.clicks:,} examples in {outcome.minutes:.1f} minutes; "
            f"kept epoch {outcome.best_epoch}{score}",
            *(f"  {line}" for line in self.result.lines()),
        ]


def rank(session: Session, *, restart: bool = False) -> RankerTrained:
    """Resumes by itself, as training does."""
    section = ranker_section(session.config)
    session.demand_earlier(Stage.RANK)
    directory = session.layout.product(Stage.RANK)
    if restart:
        session.forget(Stage.RANK)
    elif session.is_current(Stage.RANK):
        outcome = read_outcome(directory)
        assert outcome is not None
        return RankerTrained(
            directory,
            outcome,
            section.training.objective.metric,
            ClickResult.read(directory / CLICKS, remedy="run it again"),
        )
    session.demand_unaltered(Stage.RANK)
    dataset = open_dataset(session.layout.product(Stage.PREPARE))
    data = RankerData(session.config, dataset, session.layout.product(Stage.TRAIN), session.tell)
    job = data.job(directory)
    with session.recording(Stage.RANK):
        session.tracker.log_params({f"ranker.{key}": value for key, value in flatten(section).items()})
        outcome = fit(
            job,
            restart=restart,
            tell=session.tell,
            on_epoch=log_to(session, section.training.objective.metric, "ranker."),
        )
        examples = data.examples("test")
        reader = ExampleReader(dataset, examples, section.model.max_length)
        logits = predict(load_ranker(directory / BEST), reader)
        result = write_predictions(
            dataset, examples, logits, directory, is_calibrated=section.training.objective.is_calibrated
        )
    session.tracker.log_metrics({f"ranker.test.{name}": found.value for name, found in result.metrics.items()})
    return RankerTrained(directory, outcome, section.training.objective.metric, result)


def require_buildable(session: Session) -> None:
    """ConfigError where the ranker cannot be built for the dataset: better told before the retriever is trained."""
    if session.config.ranker is not None:
        dataset = open_dataset(session.layout.product(Stage.PREPARE))
        Ranker.for_dataset(session.config.ranker.model, dataset)
