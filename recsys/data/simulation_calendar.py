"""When the users of a simulated log click: sessions, gaps, days and nights. Knows no items."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.data.simulation_config import MIN_CLICKS_PER_USER

DAY = 86_400
NUM_DAYS = 90
SPAN = NUM_DAYS * DAY
BEGIN = 1_704_067_200  # 2024-01-01T00:00:00Z, a Monday
# how busy each hour of the day is: nearly nobody at four, most at nine in the evening
HOURS = np.array([3, 2, 1, 1, 1, 1, 2, 4, 6, 7, 7, 8, 9, 8, 7, 7, 7, 8, 9, 11, 12, 13, 10, 6], dtype=float)
WEEKEND = 1.3


@dataclass(frozen=True)
class Visits:
    """The clicks of some users, still without items; user u's lie at offsets[u]:offsets[u + 1]."""

    offsets: NDArray[np.int64]  # [users + 1]
    times: NDArray[np.int64]  # [clicks]: seconds since the log's begin, strictly increasing in a user
    opens: NDArray[np.bool_]  # [clicks]: whether the click opens a session


def draw_lengths(num_users: int, num_clicks: int, *, rng: np.random.Generator) -> NDArray[np.int64]:
    """Clicks of each user: skewed (log-normal), at least four, and exactly `num_clicks` in all."""
    shares = np.minimum(rng.lognormal(0.0, 0.8, num_users), 8.0)
    spare = num_clicks - MIN_CLICKS_PER_USER * num_users
    ends = np.round(np.cumsum(shares) / shares.sum() * spare).astype(np.int64)
    return MIN_CLICKS_PER_USER + np.diff(ends, prepend=0)


def draw_visits(lengths: NDArray[np.int64], *, opening: float, rng: np.random.Generator) -> Visits:
    """Every click but a user's first opens a session with probability `opening`, whatever came before."""
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    num_clicks, firsts = int(offsets[-1]), offsets[:-1]
    opens = rng.random(num_clicks) < opening
    opens[firsts] = True
    within = np.where(opens, 0.0, rng.lognormal(np.log(60.0), 1.0, num_clicks).clip(5.0, 1200.0))
    # never nothing, so that no two clicks of a user fall into one second
    between = np.where(opens, 0.02 + rng.exponential(1.0, num_clicks), 0.0)
    first, last = _draw_stays(len(lengths), rng)
    # the pauses between sessions fill what the sessions leave of the user's stay; a last pause follows the last click
    pauses = np.add.reduceat(between, firsts) + rng.exponential(1.0, len(lengths))
    scale = (last - first - np.add.reduceat(within, firsts)) / pauses
    steps = within + between * np.repeat(scale, lengths)
    total = np.cumsum(steps)
    activity = total - np.repeat(total[firsts] - steps[firsts] - first, lengths)
    return Visits(offsets=offsets, times=_on_the_clock(activity).astype(np.int64), opens=opens)


def _draw_stays(num_users: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and last moment of each user: most come early, three quarters stay to the end."""
    first = 0.6 * SPAN * rng.beta(1.0, 2.0, num_users)
    leaves = rng.random(num_users) < 0.15
    left = first + rng.uniform(0.3, 1.0, num_users) * (SPAN - first)
    return first, np.where(leaves, left, SPAN)


def _on_the_clock(activity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stretches evenly spent time so that busy hours hold more of it; keeps the order."""
    hours = np.tile(HOURS, NUM_DAYS)
    weekend = np.repeat(np.arange(NUM_DAYS) % 7 >= 5, 24)
    spent = np.concatenate(([0.0], np.cumsum(hours * np.where(weekend, WEEKEND, 1.0))))
    return np.interp(activity, spent * (SPAN / spent[-1]), np.arange(len(spent)) * 3600.0)
