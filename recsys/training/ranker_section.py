"""The second stage: the `ranker` section."""

from recsys.model.ranking.ranker import RankerConfig
from recsys.section import Section
from recsys.training.ranking_config import ExamplesConfig, RankerTrainingConfig, SampledConfig


class RankerSection(Section):
    examples: ExamplesConfig = SampledConfig()
    """labelled where data.events.columns.label is given, sampled elsewhere."""
    warm_start: bool = False
    """Whether the embeddings of items begin as the retriever's item vectors instead of at random."""
    model: RankerConfig = RankerConfig()
    training: RankerTrainingConfig = RankerTrainingConfig()
