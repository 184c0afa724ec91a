"""Trains the ranker on labelled examples, and predicts the clicks of the test part."""

from dataclasses import dataclass
from pathlib import Path

from recsys.data.dataset import Dataset, open_dataset
from recsys.data.example_batches import ExampleReader
from recsys.data.examples import PARTS, Examples, Part, labelled_examples
from recsys.data.sampled_examples import Draw, by_popularity, sampled_examples, uniform
from recsys.errors import ConfigError
from recsys.evaluation.click_result import ClickResult, write_predictions
from recsys.evaluation.outcome import CLICKS
from recsys.model.ranking.ranker import Ranker
from recsys.model.ranking.store import load_ranker
from recsys.model.retriever import Retriever
from recsys.section import flatten
from recsys.stages.record import Stage
from recsys.stages.session import Session
from recsys.stages.train import log_to
from recsys.training.engine import fit
from recsys.training.outcome import BEST, TrainingOutcome, load_best, read_outcome
from recsys.training.ranker_section import RankerSection
from recsys.training.ranking_config import SampledConfig
from recsys.training.ranking_job import RankingJob
from recsys.training.ranking_judge import predict
from recsys.training.retrieved_negatives import from_retriever
from recsys.training.warm_start import initial_items

JUDGED_BY = 0
"""Seed of the examples that rankers are validated and tested with."""


@dataclass(frozen=True)
class RankerTrained:
    directory: Path
    outcome: TrainingOutcome
    result: ClickResult

    def lines(self) -> list[str]:
        outcome = self.outcome
        score = "" if outcome.validation is None else f", validation AUC {outcome.validation:.4f}"
        return [
            f"Ranker: {self.directory}",
            f"  {len(outcome.history)} epochs, {outcome.clicks:,} examples in {outcome.minutes:.1f} minutes; "
            f"kept epoch {outcome.best_epoch}{score}",
            *(f"  {line}" for line in self.result.lines()),
        ]


def rank(session: Session, *, restart: bool = False) -> RankerTrained:
    """Resumes by itself, as training does."""
    section = _section(session)
    session.demand_earlier(Stage.RANK)
    directory = session.layout.product(Stage.RANK)
    if restart:
        session.forget(Stage.RANK)
    elif session.is_current(Stage.RANK):
        outcome = read_outcome(directory)
        assert outcome is not None
        return RankerTrained(directory, outcome, ClickResult.read(directory / CLICKS, remedy="run it again"))
    session.demand_unaltered(Stage.RANK)
    dataset = open_dataset(session.layout.product(Stage.PREPARE))
    examples = _examples(session, section, dataset)
    job = RankingJob(
        dataset=dataset,
        examples=examples["training"],
        validation=examples["validation"],
        model=section.model,
        training=section.training,
        seed=session.config.seed,
        directory=directory,
        initial_items=initial_items(_retriever(session), section.model.dim) if section.warm_start else None,
    )
    with session.recording(Stage.RANK):
        session.tracker.log_params({f"ranker.{key}": value for key, value in flatten(section).items()})
        outcome = fit(job, restart=restart, tell=session.tell, on_epoch=log_to(session, "AUC", "ranker."))
        reader = ExampleReader(dataset, examples["test"], section.model.max_length)
        logits = predict(load_ranker(directory / BEST), reader)
        result = write_predictions(dataset, examples["test"], logits, directory)
    session.tracker.log_metrics({f"ranker.test.{name}": found.value for name, found in result.metrics.items()})
    return RankerTrained(directory, outcome, result)


def require_buildable(session: Session) -> None:
    """ConfigError where the ranker cannot be built for the dataset: better told before the retriever is trained."""
    if session.config.ranker is not None:
        dataset = open_dataset(session.layout.product(Stage.PREPARE))
        Ranker.for_dataset(session.config.ranker.model, dataset)


def _section(session: Session) -> RankerSection:
    if session.config.ranker is None:
        raise ConfigError("there is no ranker to train: add a `ranker` section to the configuration (`ranker: {}`)")
    return session.config.ranker


def _examples(session: Session, section: RankerSection, dataset: Dataset) -> dict[Part, Examples]:
    """Of each part. Those of training are drawn by the run's seed; all seeds are judged by the same."""
    sampled = section.examples
    if not isinstance(sampled, SampledConfig):
        return {part: labelled_examples(dataset, part) for part in PARTS}
    draw = _draw(session, sampled, dataset)
    seeds = {"training": session.config.seed, "validation": JUDGED_BY, "test": JUDGED_BY}
    return {
        part: sampled_examples(dataset, part, negatives=sampled.negatives, draw=draw, seed=seeds[part])
        for part in PARTS
    }


def _draw(session: Session, sampled: SampledConfig, dataset: Dataset) -> Draw:
    match sampled.source:
        case "uniform":
            return uniform(dataset)
        case "popularity":
            return by_popularity(dataset)
        case "retriever":
            session.tell("drawing negatives from the retriever's lists")
            return from_retriever(dataset, _retriever(session), depth=sampled.depth)


def _retriever(session: Session) -> Retriever:
    return load_best(session.layout.product(Stage.TRAIN))
