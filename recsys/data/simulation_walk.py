"""Users walking through the process, click by click, a chunk of users at a time. Knows no files."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recsys.data import simulation_process as process
from recsys.data.simulation_calendar import Visits, draw_visits
from recsys.data.simulation_catalogue import NUM_DEPARTMENTS, NUM_TAGS
from recsys.data.simulation_process import Floats, Indices, Moment, World

ROOM = 1 << 21  # users at once times items: bounds the memory of what each user has seen


@dataclass(frozen=True)
class Walk:
    """The clicks of some users, and the true state of each just before the last of them."""

    visits: Visits
    items: Indices  # [clicks], in the order of the visits
    final: Moment

    @property
    def num_users(self) -> int:
        return len(self.final.last)

    def last_items(self) -> Indices:
        return self.items[self.visits.offsets[1:] - 1]


def walks(world: World, lengths: Indices, *, seed: np.random.SeedSequence) -> Iterator[Walk]:
    """Chunks of users, in order; memory does not grow with the number of users."""
    at_once = max(min(ROOM // world.catalogue.num_items, 1024), 1)
    starts = range(0, len(lengths), at_once)
    for start, chunk_seed in zip(starts, seed.spawn(len(starts)), strict=True):
        yield walk(world, lengths[start : start + at_once], rng=np.random.default_rng(chunk_seed))


def walk(world: World, lengths: Indices, *, rng: np.random.Generator) -> Walk:
    """Draws all clicks of users with `lengths` clicks. The longest go first, so the active ones are a prefix."""
    visits = draw_visits(lengths, opening=process.OPENING, rng=rng)
    order = np.argsort(-lengths, kind="stable")
    begins = visits.offsets[:-1][order]
    moment = _arrival(world, visits.times[begins], rng)
    items = np.empty(visits.offsets[-1], dtype=np.int64)
    for step in range(int(lengths.max())):
        num_active, num_going_on = (int((lengths > n).sum()) for n in (step, step + 1))
        clicks = begins[:num_active] + step
        items[clicks] = _draw(world, moment.of(slice(num_active)), visits.opens[clicks], rng)
        _move_on(moment, visits, items, clicks[:num_going_on], rng)
    return Walk(visits, items, final=moment.of(np.argsort(order)))


def _arrival(world: World, times: Indices, rng: np.random.Generator) -> Moment:
    num_users, nothing = len(times), world.catalogue.num_items
    return Moment(
        last=np.full(num_users, nothing),
        before=np.full(num_users, nothing),
        interest=_normal(process.INTEREST, (num_users, NUM_DEPARTMENTS), rng),
        taste=_normal(process.TASTE, (num_users, NUM_TAGS), rng),
        seen=np.zeros((num_users, nothing), dtype=bool),
        time=times.copy(),
    )


def _draw(world: World, moment: Moment, opens: np.ndarray, rng: np.random.Generator) -> Indices:
    """The item each user clicks; `opens` tells who has forgotten what came before."""
    nothing = world.catalogue.num_items
    moment = Moment(
        last=np.where(opens, nothing, moment.last),
        before=np.where(opens, nothing, moment.before),
        interest=moment.interest, taste=moment.taste, seen=moment.seen, time=moment.time,
    )  # fmt: skip
    category = _pick(process.category_probabilities(world, moment), rng)
    choices = world.catalogue.members[category]
    chosen = _pick(process.item_weights(world, moment, choices), rng)
    return np.asarray(choices[np.arange(len(choices)), chosen])


def _move_on(moment: Moment, visits: Visits, items: Indices, clicks: Indices, rng: np.random.Generator) -> None:
    """Writes into `moment` what the first len(clicks) users are like as they are about to click again."""
    now = moment.of(slice(len(clicks)))
    now.before[:] = np.where(visits.opens[clicks], len(moment.seen[0]), now.last)
    now.last[:] = items[clicks]
    now.seen[np.arange(len(clicks)), items[clicks]] = True
    now.time[:] = visits.times[clicks + 1]
    gap = visits.times[clicks + 1] - visits.times[clicks]
    kept = np.exp(-gap / process.WANDERING).astype(np.float32)[:, None]
    news = _normal(process.INTEREST, now.interest.shape, rng)
    now.interest[:] = kept * now.interest + np.sqrt(1.0 - kept**2) * news


def _pick(weights: Floats, rng: np.random.Generator) -> Indices:
    """One column of each row, with probability proportional to its weight; never one of weight 0."""
    sums = np.cumsum(weights, axis=1, dtype=np.float64)
    height = rng.random(len(weights)) * sums[:, -1]
    return np.asarray((sums <= height[:, None]).sum(axis=1))


def _normal(spread: float, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    return np.float32(spread) * rng.standard_normal(shape, dtype=np.float32)
