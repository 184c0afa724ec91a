"""What `recsys tune` searches: the `tuning` section. Knows no optimiser of it."""

import json
from itertools import permutations
from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, JsonValue, PositiveFloat, PositiveInt, model_validator

from recsys.section import Section

SEARCHED = ("model.", "training.")
OF_RANKER = "ranker."
QUESTIONS = ("ranker.examples", "ranker.training.objective", "ranker.warm_start")
"""What decides which examples, by which metric, and beside which retriever a ranker is judged."""


class _Dimension(Section):
    key: str
    """A dotted key of the configuration: in `model` or `training`, or in `ranker`."""

    @model_validator(mode="after")
    def _is_searched(self) -> Self:
        if not self.key.startswith((*SEARCHED, OF_RANKER)):
            raise ValueError(
                f"tuning searches keys of model and training, or of ranker; found {self.key!r}: "
                "name one such as model.dropout"
            )
        if self.key.startswith(QUESTIONS):
            raise ValueError(
                f"trials are compared on the same examples by the same metric, and {self.key} would change them: "
                "search once for each of its values"
            )
        return self


class _Range(_Dimension):
    low: FiniteFloat
    high: FiniteFloat
    log: bool = False
    """Whether to draw the number's logarithm evenly."""

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"the range of {self.key} must rise from low to high; found {self.low} to {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range begins above 0, and that of {self.key} begins at {self.low}")
        return self

    @property
    def example(self) -> JsonValue:
        return self.low

    def holds(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


class FloatDimension(_Range):
    """Any number from `low` to `high`."""

    kind: Literal["float"] = "float"


class IntDimension(_Range):
    """Any whole number from `low` to `high`."""

    kind: Literal["int"] = "int"
    low: int
    high: int

    def holds(self, value: object) -> bool:
        return isinstance(value, int) and super().holds(value)


class ChoiceDimension(_Dimension):
    """One of some values: texts, numbers, or whole sections such as {kind: cosine, temperature: 0.05}."""

    kind: Literal["choice"] = "choice"
    values: Annotated[tuple[JsonValue, ...], Field(min_length=1)]

    @property
    def example(self) -> JsonValue:
        return self.values[0]

    def holds(self, value: object) -> bool:
        return value is not None and json.dumps(value) in map(json.dumps, self.values)

    @model_validator(mode="after")
    def _names_each_value_once(self) -> Self:
        if len({json.dumps(value, sort_keys=True) for value in self.values}) < len(self.values):
            raise ValueError(f"the values of {self.key} must differ; found {list(self.values)}")
        return self


Dimension = Annotated[FloatDimension | IntDimension | ChoiceDimension, Field(discriminator="kind")]

DEFAULT_SPACE: tuple[Dimension, ...] = (
    FloatDimension(key="training.optimizer.learning_rate", low=5e-4, high=8e-3, log=True),
    FloatDimension(key="model.dropout", low=0.0, high=0.6),
    FloatDimension(key="training.optimizer.weight_decay", low=1e-3, high=1.0, log=True),
    IntDimension(key="model.num_blocks", low=1, high=4),
)


class TuningConfig(Section):
    trials: PositiveInt = 20
    """Configurations tried, the one in the file first."""
    max_minutes: PositiveFloat | None = None
    """No further trial begins after so long, over all commands that go on with the search."""
    startup_trials: PositiveInt = 5
    """Drawn at random before the search learns from them, and never pruned."""
    warmup_epochs: PositiveInt = 3
    """A trial is not pruned earlier."""
    space: Annotated[tuple[Dimension, ...], Field(min_length=1)] = DEFAULT_SPACE

    @property
    def is_of_ranker(self) -> bool:
        return self.space[0].key.startswith(OF_RANKER)

    @model_validator(mode="after")
    def _searches_one_model(self) -> Self:
        if len({dimension.key.startswith(OF_RANKER) for dimension in self.space}) > 1:
            raise ValueError(
                "tuning.space has keys of the ranker and keys of the retriever, and a search trains one of the two: "
                "make two searches, the retriever's first"
            )
        return self

    @model_validator(mode="after")
    def _names_each_key_once(self) -> Self:
        keys = [dimension.key for dimension in self.space]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise ValueError(f"tuning.space names {twice[0]} twice: one dimension a key")
        for outer, inner in permutations(keys, 2):
            if inner.startswith(f"{outer}."):
                raise ValueError(f"tuning.space has {outer} and {inner}, a key within it: keep one of the two")
        return self
