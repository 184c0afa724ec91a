"""What a ranker is trained and judged on, as a configuration asks for it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from recsys.config import RunConfig
from recsys.data.dataset import Dataset
from recsys.data.examples import Examples, Part, labelled_examples
from recsys.data.sampled_examples import Draw, by_popularity, sampled_examples, uniform
from recsys.errors import ConfigError
from recsys.model.retriever import Retriever
from recsys.training.outcome import load_best
from recsys.training.ranker_section import RankerSection
from recsys.training.ranking_config import SampledConfig
from recsys.training.ranking_job import RankingJob
from recsys.training.retrieved_negatives import from_retriever
from recsys.training.warm_start import initial_items

JUDGED_BY = 0
"""Seed of the examples that rankers are validated and tested with, whatever the run's."""


def ranker_section(config: RunConfig) -> RankerSection:
    if config.ranker is None:
        raise ConfigError("there is no ranker to train: add a `ranker` section to the configuration (`ranker: {}`)")
    return config.ranker


@dataclass(frozen=True)
class RankerData:
    """Of one dataset; `model` is where the retriever lies, for a ranker that needs it."""

    config: RunConfig
    dataset: Dataset
    model: Path
    tell: Callable[[str], None]

    def examples(self, part: Part) -> Examples:
        """Those of training are drawn by the run's seed, the others by one that all runs share."""
        sampled = ranker_section(self.config).examples
        if not isinstance(sampled, SampledConfig):
            return labelled_examples(self.dataset, part)
        seed = self.config.seed if part == "training" else JUDGED_BY
        return sampled_examples(self.dataset, part, negatives=sampled.negatives, draw=self._draw, seed=seed)

    def job(self, directory: Path) -> RankingJob:
        """The ranker's training, left in a directory."""
        section = ranker_section(self.config)
        return RankingJob(
            dataset=self.dataset,
            examples=self.examples("training"),
            validation=self.examples("validation"),
            model=section.model,
            training=section.training,
            seed=self.config.seed,
            directory=directory,
            initial_items=initial_items(self._retriever, section.model.dim) if section.warm_start else None,
        )

    @cached_property
    def _retriever(self) -> Retriever:
        return load_best(self.model)

    @cached_property
    def _draw(self) -> Draw:
        sampled = ranker_section(self.config).examples
        assert isinstance(sampled, SampledConfig)
        match sampled.source:
            case "uniform":
                return uniform(self.dataset)
            case "popularity":
                return by_popularity(self.dataset)
            case "retriever":
                self.tell("drawing negatives from the retriever's lists")
                return from_retriever(self.dataset, self._retriever, depth=sampled.depth)
