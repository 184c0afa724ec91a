"""No item feature was made from the clicks that are to be predicted.

A feature such as "sold last month" or "clicks in all" marks the items of held-out clicks. Honest features predict as
well: what is new is clicked more. Two things part them. Among items of as many training clicks, and where there is a
calendar of one age, an honest feature tells little. And what it tells of held-out clicks it tells of training's own
last clicks as well, save where a split by column is really one by date: there only what is certain counts as a leak.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np

from recsys.data.feature_table import Feature
from recsys.errors import ConfigError
from recsys.evaluation.audit.clicks import Clicks, Int64
from recsys.evaluation.audit.findings import Finding, Verdict
from recsys.evaluation.audit.strata import Float64, Outcome
from recsys.evaluation.audit.twins import Twins, twins
from recsys.evaluation.questions import Questions

CHECK = "no item feature was made from held-out clicks"
LEAKS, LEAKS_BY_COLUMN, TELLS = 0.95, 0.999, 0.8
"""AUC from which a feature leaks, or is worth a note."""
FEWEST = 30
"""Items with an outcome, and without, to be told apart."""
PRIOR = 10
"""What a value tells is weighed against as many items of which nothing is known."""
Reading = tuple[str, float, float]
"""How a feature is read, and the AUC of what it then tells of the real outcome and of the placebo."""


@dataclass(frozen=True)
class Telling:
    """How well a feature tells an outcome, and how well it tells the same of the last clicks of training."""

    feature: Feature
    outcome: str
    how: str
    auc: float
    placebo: float
    least: float
    """AUC from which it leaks."""
    is_trusted: bool = False
    """Somebody says that it was known before the test clicks."""

    @property
    def verdict(self) -> Verdict:
        """The miss is to be far smaller than the placebo's."""
        if self.auc >= self.least and 5 * (1 - self.auc) <= 1 - self.placebo:
            return "leak" if self.feature.is_input and not self.is_trusted else "noted"
        return "noted" if self.auc >= TELLS and 2 * (1 - self.auc) <= 1 - self.placebo else "passed"

    def __str__(self) -> str:
        return (
            f"{self.feature.name!r} tells {self.outcome} from other items by {self.how} in {self.auc:.1%} of pairs, "
            f"and the same of the last training clicks in {self.placebo:.1%}"
            + ("" if self.feature.is_input else " (the model does not read it)")
            + (" (evaluation.known_in_advance)" if self.is_trusted else "")
        )


def check_features(questions: Questions, clicks: Clicks, *, trusted: Collection[str] = ()) -> Finding:
    """Of every feature the most telling way to read it. What is trusted, or is no input, is noted at worst."""
    features = questions.dataset.features
    _require_known(trusted, [feature.name for feature in features])
    enough = [both for both in twins(questions, clicks) if both.num_comparable >= FEWEST]
    if not len(features) or not enough:
        why = "too few items are comparable" if len(features) else "the items have no features"
        return Finding(check=CHECK, verdict="not applicable", found=why)
    least = LEAKS_BY_COLUMN if questions.dataset.manifest.split == "by_column" else LEAKS
    told = [max(_tellings(feature, enough, least), key=_weight) for feature in features]
    return _finding([replace(one, is_trusted=one.feature.name in trusted) for one in told])


def _require_known(trusted: Collection[str], names: list[str]) -> None:
    for name in trusted:
        if name not in names:
            found = ", ".join(names) or "none"
            raise ConfigError(f"evaluation.known_in_advance names {name!r}; the features of data.items are: {found}")


def _finding(told: list[Telling]) -> Finding:
    worst = [one for one in told if one.verdict == "leak"] or [one for one in told if one.verdict == "noted"]
    verdict = worst[0].verdict if worst else "passed"
    names = " and ".join(repr(one.feature.name) for one in worst)
    trusted = ", ".join(one.feature.name for one in worst)
    remedy = (
        f"if {names} was known before the test clicks, as an event's date is, say so with "
        f"evaluation.known_in_advance=[{trusted}]; if not, take it out of data.items.features"
    )
    return Finding(
        check=CHECK,
        verdict=verdict,
        found="; ".join(map(str, worst or [max(told, key=_weight)])),
        remedy=remedy if verdict == "leak" else "",
        numbers={f"AUC of {one.feature.name}": one.auc for one in told},
    )


def _weight(telling: Telling) -> tuple[int, float]:
    """Leaks first, then notes; of equals the one that tells most."""
    return ["passed", "noted", "leak"].index(telling.verdict), telling.auc


def _tellings(feature: Feature, pairs: list[Twins], least: float) -> Iterator[Telling]:
    owners = np.repeat(np.arange(len(feature.offsets) - 1), np.diff(feature.offsets))
    numbers = _numbers(feature, owners)
    for both in pairs:
        readings = [_by_value(feature, owners, both), _by_other_items(feature, owners, both)]
        if numbers is not None:
            readings.append(_by_number(numbers, both))
        for how, real, placebo in readings:
            yield Telling(feature, both.real.name, how, real, placebo, least)


def _by_value(feature: Feature, owners: Int64, both: Twins) -> Reading:
    """The one value that tells most, by being there or not."""
    real, placebo = (
        np.bincount(feature.values, weights=outcome.membership[owners], minlength=feature.num_values) / 2
        for outcome in (both.real, both.placebo)
    )
    value = int(np.argmax(np.abs(real)))
    sign = float(np.sign(real[value]))
    how = f"the value {feature.labels[value - 1]!r}" if value else "no value"
    return how, 0.5 + sign * float(real[value]), 0.5 + sign * float(placebo[value])


def _by_other_items(feature: Feature, owners: Int64, both: Twins) -> Reading:
    real, placebo = (_auc_by_other_items(feature, owners, outcome) for outcome in (both.real, both.placebo))
    return "all its values", real, placebo


def _auc_by_other_items(feature: Feature, owners: Int64, outcome: Outcome) -> float:
    """By what its values mean for half of the items, for the other half: no item is judged by itself."""
    scores: Float64 = np.zeros(len(outcome.has))
    half = owners % 2
    for judged in (0, 1):
        known, asked = half != judged, half == judged
        sums = np.bincount(feature.values[known], outcome.surprise[owners[known]], minlength=feature.num_values)
        counts = np.bincount(feature.values[known], outcome.strata[owners[known]] >= 0, minlength=feature.num_values)
        means = sums / (counts + PRIOR)
        scores += np.bincount(owners[asked], means[feature.values[asked]], minlength=len(scores))
    return outcome.auc(scores)


def _by_number(numbers: Float64, both: Twins) -> Reading:
    real, placebo = both.real.auc(numbers), both.placebo.auc(numbers)
    if real < 0.5:
        real, placebo = 1 - real, 1 - placebo
    return "its number", real, placebo


def _numbers(feature: Feature, owners: Int64) -> Float64 | None:
    """[items + 1] the value as a number, NaN where there is none; None where it is not one number an item."""
    if feature.num_values < 3 or (np.diff(feature.offsets) > 1).any():
        return None
    try:
        labels = np.array([float(label) for label in feature.labels])
    except ValueError:
        return None
    numbers = np.full(len(feature.offsets) - 1, np.nan)
    numbers[owners] = labels[np.asarray(feature.values) - 1]
    return numbers
