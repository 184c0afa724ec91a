"""Trains the ranker on labelled examples, and predicts the clicks of the test part."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recsys.data.dataset import Dataset, open_dataset
from recsys.data.example_batches import ExampleReader
from recsys.data.examples import PARTS, Examples, Part, labelled_examples
from recsys.data.sampled_examples import by_popularity, sampled_examples, uniform
from recsys.errors import ConfigError
from recsys.evaluation.click_result import RESULT, ClickResult, write_predictions
from recsys.model.ranking.store import load_ranker
from recsys.section import flatten
from recsys.stages.record import Stage
from recsys.stages.session import Session
from recsys.stages.train import log_to
from recsys.training.engine import fit
from recsys.training.outcome import BEST, TrainingOutcome, read_outcome
from recsys.training.ranker_section import RankerSection
from recsys.training.ranking_config import SampledConfig
from recsys.training.ranking_fit import RankingJob
from recsys.training.ranking_judge import predict


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
        return RankerTrained(directory, outcome, ClickResult.read(directory / RESULT, remedy="run it again"))
    session.demand_unaltered(Stage.RANK)
    dataset = open_dataset(session.layout.product(Stage.PREPARE))
    examples = {part: examples_for(section, dataset, part, seed=session.config.seed) for part in PARTS}
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


def _section(session: Session) -> RankerSection:
    if session.config.ranker is None:
        raise ConfigError("there is no ranker to train: add a `ranker` section to the configuration (`ranker: {}`)")
    return session.config.ranker


def examples_for(section: RankerSection, dataset: Dataset, part: Part, *, seed: int) -> Examples:
    if not isinstance(section.examples, SampledConfig):
        return labelled_examples(dataset, part)
    random = np.random.default_rng([seed, PARTS.index(part)])
    draw = (by_popularity if section.examples.source == "popularity" else uniform)(dataset, random)
    return sampled_examples(dataset, part, negatives=section.examples.negatives, draw=draw)
