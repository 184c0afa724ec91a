"""Whether the answer stands in training under another name: a user whose clicks are those of a test user."""

import numpy as np
from numpy.typing import NDArray

from recsys.data.events.times import A_DAY
from recsys.evaluation.audit.clicks import Bools, Clicks, Int64
from recsys.evaluation.audit.findings import Finding
from recsys.evaluation.audit.near_duplicates import LEAST_ITEMS, LIKE, num_alike
from recsys.evaluation.questions import Questions

COPIES = "no target is told by a copy of its user's last clicks among other users' training clicks"
ALIKE = "no two users are near-duplicates of each other"
RUN = 3
"""The target and the two clicks before it, one after the other, on the same items at the same times."""
SHARED = 3
"""An item that more clicks than these are on at one time has times of its own, as a broadcast has: nobody is copied."""
HARMLESS = 0.001
"""Share of the targets that is noted only: no metric can be off by more."""


def check_copies(questions: Questions, clicks: Clicks) -> Finding:
    """A leak if it is more than a few, and the log has a clock; where it has days at best, equal times mean little."""
    copied = _num_copied(questions, clicks)
    share, is_fine = copied / max(1, len(questions)), _has_fine_clock(questions, clicks)
    is_leak = share > HARMLESS and is_fine
    meaning = "" if is_fine else ", though here equal times are no proof of a copy"
    return Finding(
        check=COPIES,
        verdict="leak" if is_leak else "noted" if copied else "passed",
        found=f"{copied:,} of {len(questions):,} targets ({share:.2%}), with the {RUN - 1} clicks before them, stand "
        f"in training on the same items at the same times{meaning if copied else ''}",
        remedy="the log holds users twice under different ids: leave one of each out of it" if is_leak else "",
        numbers={"copied targets": copied, "share": share},
    )


def check_near_duplicates(questions: Questions, clicks: Clicks) -> Finding:
    alike, large = num_alike(clicks.items, clicks.users, num_items=len(questions.dataset.items))
    return Finding(
        check=ALIKE,
        verdict="noted" if alike else "passed",
        found=f"of {large:,} users with {LEAST_ITEMS} items or more, at least {alike:,} share {LIKE:.0%} of their "
        f"items with another, by MinHash and then counted",
        numbers={"near-duplicate users": alike, "users looked at": large},
    )


def _has_fine_clock(questions: Questions, clicks: Clicks) -> bool:
    return questions.dataset.manifest.time_kind == "calendar" and bool((clicks.times % A_DAY).any())


def _num_copied(questions: Questions, clicks: Clicks) -> int:
    """Runs are compared by 64-bit hashes: that two differ and seem equal happens once in 10^6 logs of 10^7 clicks."""
    runs, are_telling = _runs(clicks)
    positions = questions.held_out.positions
    begins = np.asarray(questions.dataset.histories.offsets)[questions.held_out.users]
    positions = positions[positions - begins >= RUN - 1]
    asked = np.sort(runs[positions[are_telling[positions]]])
    if len(asked) == 0:
        return 0
    # a run of training clicks is one whose first and last click are one user's
    ends = np.flatnonzero(clicks.trains & are_telling)
    ends = ends[ends >= RUN - 1]
    ends = ends[clicks.users[ends] == clicks.users[ends - RUN + 1]]
    # few are asked and many train: looking each of the many up is cheaper than sorting them
    places = np.minimum(np.searchsorted(asked, runs[ends]), len(asked) - 1)
    found = np.unique(asked[places[asked[places] == runs[ends]]])
    return int(np.isin(asked, found).sum())


def _runs(clicks: Clicks) -> tuple[NDArray[np.uint64], Bools]:
    """[clicks] a hash of each click and those before it, whoever clicked them; and whether few clicked each of them."""
    with np.errstate(over="ignore"):
        token = _mixed(_mixed(clicks.times) + clicks.items.astype(np.uint64))
        _, which, counts = np.unique(token, return_inverse=True, return_counts=True)
        is_rare = counts[which] <= SHARED
        runs, are_telling = np.zeros(len(token), dtype=np.uint64), np.ones(len(token), dtype=bool)
        for distance in range(RUN):
            factor = np.uint64(0x9E3779B97F4A7C15 ** (distance + 1) % 2**64)
            runs[distance:] += token[: len(token) - distance] * factor
            are_telling[distance:] &= is_rare[: len(token) - distance]
    return runs, are_telling


def _mixed(values: Int64 | NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64."""
    mixed = values.astype(np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
