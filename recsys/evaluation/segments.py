"""Ways to part the test users: for whom, and for which targets, is a system good?

history length              readable clicks before the target, in thirds of the users
target popularity           training clicks on the target: head, torso and tail have a third of all training clicks each
time since the last click   between the target and the click before it; only where gaps mean something
target seen before          whether the user had clicked it already
age of the target           whether it is new in the log; only with a calendar
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from recsys.evaluation.config import K
from recsys.evaluation.equal_parts import part_of, range_text
from recsys.evaluation.metrics import hit_rate, ndcg
from recsys.evaluation.outcome import Estimate, Segment, Segmentation
from recsys.evaluation.questions import Questions
from recsys.evaluation.results import estimate
from recsys.evaluation.significance import bootstrap_means

Bools = NDArray[np.bool_]
Int64 = NDArray[np.int64]

METRICS = {f"HR@{K}": hit_rate, f"NDCG@{K}": ndcg}
RESAMPLES = 2_000
FEWEST = 30
"""Fewer users are no segment to speak of: nobody's hits among them would make an interval of no width."""
LENGTHS = {1: ("all",), 2: ("short", "long"), 3: ("short", "middle", "long")}
POPULARITIES = {1: ("all",), 2: ("tail", "head"), 3: ("tail", "torso", "head")}
"""What the parts are called, by how many there are."""
HOUR = 3_600_000_000
GAPS = ("under an hour", "an hour to a day", "a day to a week", "a week or longer")
GAP_BORDERS = np.array([HOUR, 24 * HOUR, 7 * 24 * HOUR])
NEW_SHARE = 0.1
"""An item is new if it was first clicked in this last part of the training time, or after it."""


@dataclass(frozen=True)
class Parting:
    """Segment -> [N] whether each test user is in it: every user in exactly one, in some segments perhaps nobody."""

    name: str
    masks: Mapping[str, Bools]

    @classmethod
    def of(cls, name: str, segments: Sequence[str], places: Int64) -> "Parting":
        """User n is in segments[places[n]]."""
        return cls(name, {segment: places == place for place, segment in enumerate(segments)})


def segmentations(questions: Questions) -> tuple[Parting, ...]:
    """Those that the log's times allow."""
    by_gap: dict[str, tuple[Callable[[Questions], Parting], ...]] = {
        "calendar": (_by_gap, _by_repetition, _by_age),
        "relative": (_by_relative_gap, _by_repetition),
        "order": (_by_repetition,),
    }
    ways = (_by_length, _by_popularity, *by_gap[questions.dataset.manifest.time_kind])
    return tuple(way(questions) for way in ways)


def segment_results(
    partings: Sequence[Parting], ranks: Mapping[str, Int64], *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Segmentation, ...]:
    """HR@10 and NDCG@10 of each system in each segment; `ranks` are [N]."""

    def result(name: str, mask: Bools) -> Segment:
        is_told = mask.sum() >= FEWEST
        own = {system: found[mask] for system, found in ranks.items()} if is_told else {}
        metrics = {system: _estimates(found, resamples, seed) for system, found in own.items()}
        return Segment(name=name, users=int(mask.sum()), metrics=metrics)

    return tuple(
        Segmentation(name=parting.name, segments=tuple(result(*named) for named in parting.masks.items()))
        for parting in partings
    )


def _estimates(ranks: Int64, resamples: int, seed: int) -> dict[str, Estimate]:
    values = np.stack([metric(ranks, K) for metric in METRICS.values()], axis=1)
    replicates = bootstrap_means(values, resamples=resamples, seed=seed)
    return dict(zip(METRICS, map(estimate, values.mean(axis=0), replicates.T), strict=True))


def _by_length(questions: Questions) -> Parting:
    lengths = questions.pasts(max(1, questions.dataset.histories.num_events)).lengths
    parts = part_of(lengths, np.ones_like(lengths), 3)
    names = LENGTHS[int(parts.max()) + 1]
    ranges = [range_text(lengths[parts == part]) for part in range(len(names))]
    clicks = [f"{name} ({text} clicks)" for name, text in zip(names, ranges, strict=True)]
    return Parting.of("history length", clicks, parts)


def _by_popularity(questions: Questions) -> Parting:
    """A border lies between two counts, so that items of one count are together."""
    counts = questions.dataset.training_counts()
    trained = counts[counts > 0]
    parts = part_of(trained, trained, 3)
    names = POPULARITIES[int(parts.max()) + 1]
    ranges = [range_text(trained[parts == part]) for part in range(len(names))]
    clicks = [f"{name} ({text} clicks)" for name, text in zip(names, ranges, strict=True)]
    part_of_item = np.full(len(counts), -1)
    part_of_item[counts > 0] = parts
    segments = [*reversed(clicks), "cold (never trained)"]
    return Parting.of("target popularity", segments, len(names) - 1 - part_of_item[questions.targets])


def _by_gap(questions: Questions) -> Parting:
    gaps = np.searchsorted(GAP_BORDERS, _gaps(questions), side="right")
    return Parting.of("time since the last click", GAPS, gaps)


def _by_relative_gap(questions: Questions) -> Parting:
    """In thirds of the users, since nobody says what the numbers count."""
    gaps = _gaps(questions)
    parts = part_of(gaps, np.ones_like(gaps), 3)
    return Parting.of("time since the last click", LENGTHS[int(parts.max()) + 1], parts)


def _gaps(questions: Questions) -> Int64:
    """[N] time between the target and the user's click before it, readable or not."""
    times, positions = np.asarray(questions.dataset.histories.times), questions.held_out.positions
    return times[positions] - times[positions - 1]


def _by_repetition(questions: Questions) -> Parting:
    places = questions.are_repeated.astype(np.int64)
    return Parting.of("target seen before", ("first-seen", "seen before"), places)


def _by_age(questions: Questions) -> Parting:
    """By the target's first click of all, whoever's it was."""
    dataset, items = questions.dataset, np.asarray(questions.dataset.histories.items)
    times = np.asarray(dataset.histories.times)
    training = times[dataset.split.in_training(dataset.histories)]
    since = int(training.max() - NEW_SHARE * (training.max() - training.min()))
    first = np.full(len(dataset.items) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, items, times)
    date = datetime.fromtimestamp(since / 1e6, UTC).date()
    names = (f"older (clicked before {date})", f"new (first clicked since {date})")
    return Parting.of("age of the target", names, (first[questions.targets] >= since).astype(np.int64))
