"""The process that clicks: the true probability of the next click, and draws from it. Knows no files.

With i1, i2 the last two clicks of the running session (in categories c1, c2; nothing before a session's second
and third click), the next click is a category c, then an item i of c that has arrived:

    P(c)     ~ exp(first[c1, c] + second[c2, c] + appeal[c] + interest[department of c])
    P(i | c) ~ weight[i] exp(tags[i] . (taste + echo1 tags[i1] + echo2 tags[i2]))  (a fraction SEEN of it once seen)

The exponents of the last click and of the one before *multiply*, so what follows a pair is not a mixture of what
follows each. A user's `interest` wanders in calendar time; `taste` stays. A click opens a new session with a
fixed probability, which the ideal ranking knows, as it knows the interests: it does not know whether one opens.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.data.simulation_calendar import DAY, SPAN
from recsys.data.simulation_catalogue import NUM_DEPARTMENTS, Catalogue, draw_catalogue

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]

SKEW = 1.2  # Zipf exponent of the items of a category
OPENING = 0.12  # chance that a click opens a session: 8 clicks in one
SHARPNESS = (2.5, 2.0)  # spread of the exponents of the last click's category, and of the one before
APPEAL = 0.5
INTEREST, WANDERING = 0.7, 30 * DAY  # spread, and the time in which e^-1 of an interest is left
TASTE = 0.3
ECHO = (0.6, 0.4)
SEEN = 0.03  # what is left of the weight of an item the user has clicked before
ROOM = 1 << 19  # users at once times items: bounds the memory of probabilities over all items


@dataclass(frozen=True)
class World:
    """What all users share. "No item" is row `num_items`, "no category" row `num_categories`."""

    catalogue: Catalogue
    first: Floats  # [categories + 1, categories]
    second: Floats  # [categories + 1, categories]
    appeal: Floats  # [categories]


@dataclass(frozen=True)
class Moment:
    """The true state of some users as they are about to click."""

    last: Indices  # [users]: the session's last item, or num_items
    before: Indices  # [users]: the one before it, or num_items
    interest: Floats  # [users, departments]
    taste: Floats  # [users, tags]
    seen: NDArray[np.bool_]  # [users, items]
    time: Indices  # [users]: seconds since the log's begin

    def of(self, rows: NDArray[np.int64] | slice) -> "Moment":
        return Moment(
            self.last[rows], self.before[rows], self.interest[rows], self.taste[rows], self.seen[rows],
            self.time[rows],
        )  # fmt: skip

    def opening(self, world: World) -> "Moment":
        """The same moment if a session opens now: nothing is remembered but what the user likes."""
        nothing = np.full_like(self.last, world.catalogue.num_items)
        return Moment(nothing, nothing, self.interest, self.taste, self.seen, self.time)


def draw_world(num_items: int, rng: np.random.Generator) -> World:
    catalogue = draw_catalogue(num_items, skew=SKEW, span=SPAN, rng=rng)
    size = catalogue.num_categories
    first, second = (
        np.vstack([rng.normal(0.0, spread, (size, size)), np.zeros(size)]).astype(np.float32) for spread in SHARPNESS
    )
    return World(catalogue, first, second, rng.normal(0.0, APPEAL, size).astype(np.float32))


def category_probabilities(world: World, moment: Moment) -> Floats:
    """[users, categories]"""
    category = world.catalogue.category
    department = np.arange(world.catalogue.num_categories) % NUM_DEPARTMENTS
    logits = world.first[category[moment.last]] + world.second[category[moment.before]]
    return _softmax(logits + world.appeal + moment.interest[:, department])


def item_weights(world: World, moment: Moment, items: Indices) -> Floats:
    """[users, n]: unnormalised P(item | its category) of [users, n] items, 0 where `items` is num_items."""
    catalogue = world.catalogue
    pull = moment.taste + ECHO[0] * catalogue.tags[moment.last] + ECHO[1] * catalogue.tags[moment.before]
    real = items < catalogue.num_items
    safe = np.where(real, items, 0)
    arrived = real & (catalogue.arrival[safe] <= moment.time[:, None])
    logits = catalogue.log_weight[safe] + np.einsum("unt,ut->un", catalogue.tags[safe], pull)
    faded = np.where(np.take_along_axis(moment.seen, safe, axis=1), np.float32(SEEN), np.float32(1.0))
    return np.where(arrived, np.exp(logits) * faded, np.float32(0.0))


def next_click_probabilities(world: World, moment: Moment) -> NDArray[np.float64]:
    """[users, items]: the true probabilities; whether a session opens is averaged over.

    When items arrive is treated as telling nothing about that.
    """
    going_on = _probabilities(world, moment)
    return (1.0 - OPENING) * going_on + OPENING * _probabilities(world, moment.opening(world))


def _probabilities(world: World, moment: Moment) -> NDArray[np.float64]:
    members = world.catalogue.members
    result = np.zeros((len(moment.last), world.catalogue.num_items + 1))
    of_category = category_probabilities(world, moment)
    for category, items in enumerate(members):
        weights = item_weights(world, moment, np.broadcast_to(items, (len(result), len(items))))
        share = weights / weights.sum(axis=1, keepdims=True)
        result[:, items] = share * of_category[:, category, None]
    return result[:, :-1]


def ranks_of(probabilities: NDArray[np.float64], targets: Indices, candidates: NDArray[np.bool_]) -> Indices:
    """[users]: rank from 1 of each target among the candidates and itself; ties rank the target last."""
    own = probabilities[np.arange(len(targets)), targets][:, None]
    others = (probabilities >= own) & candidates
    others[np.arange(len(targets)), targets] = True
    return others.sum(axis=1)


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class IdealRanks:
    """Ranks from 1 of what users clicked when items are ranked by their true probability."""

    among_unseen: Indices  # [users]
    among_all: Indices  # [users]


def ideal_ranks(world: World, moment: Moment, targets: Indices) -> IdealRanks:
    at_once = max(ROOM // world.catalogue.num_items, 1)
    blocks = [slice(start, start + at_once) for start in range(0, len(targets), at_once)]
    unseen, everything = [], []
    for block in blocks:
        now = moment.of(block)
        probabilities = next_click_probabilities(world, now)
        unseen.append(ranks_of(probabilities, targets[block], ~now.seen))
        everything.append(ranks_of(probabilities, targets[block], np.ones_like(now.seen)))
    return IdealRanks(np.concatenate(unseen), np.concatenate(everything))
