"""Trains the ranker on labelled examples, and predicts the clicks of the test part."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recsys.data.dataset import Dataset, open_dataset
from recsys.data.example_batches import ExampleReader
from recsys.data.examples import PARTS, Examples, Part, labelled_examples
from recsys.data.sampled_examples import Draw, by_popularity, sampled_examples, uniform
from recsys.errors import ConfigError
from recsys.evaluation.click_result import ClickResult, write_predictions
from recsys.evaluation.outcome import CLICKS
from recsys.model.ranking.ranker import Ranker
from recsys.model.ranking.store import load_ranker
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
    """Of each part, drawn by the seed where they are drawn."""
    sampled = section.examples
    if not isinstance(sampled, SampledConfig):
        return {part: labelled_examples(dataset, part) for part in PARTS}
    draw = _draw(session, sampled, dataset, np.random.default_rng(session.config.seed))
    return {part: sampled_examples(dataset, part, negatives=sampled.negatives, draw=draw) for part in PARTS}


def _draw(session: Session, sampled: SampledConfig, dataset: Dataset, random: np.random.Generator) -> Draw:
    match sampled.source:
        case "uniform":
            return uniform(dataset, random)
        case "popularity":
            return by_popularity(dataset, random)
        case "retriever":
            session.tell("drawing negatives from the retriever's lists")
            retriever = load_best(session.layout.product(Stage.TRAIN))
            return from_retriever(dataset, retriever, random, depth=sampled.depth)
