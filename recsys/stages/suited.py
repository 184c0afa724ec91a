"""The configuration as a log completes it."""

from recsys.config import RunConfig, is_set, overridden
from recsys.data.dataset import Dataset
from recsys.training.log_defaults import RULES, Choice, LogStatistics


def left_to_the_log(config: RunConfig) -> list[str]:
    """The keys that the log decides, because nobody has."""
    return [key for key in RULES if not is_set(config, key)]


def choices(config: RunConfig, dataset: Dataset) -> list[Choice]:
    log = LogStatistics.of(dataset)
    return [RULES[key](log) for key in left_to_the_log(config)]


def suited(config: RunConfig, dataset: Dataset) -> RunConfig:
    """Every key set: by the user, by the log, or by default."""
    return overridden(config, {choice.key: choice.value for choice in choices(config, dataset)}, overrider="the log")
