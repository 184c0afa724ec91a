"""Whether the answer stands in the user's own history: as the same click, or as an earlier one on the same item."""

import numpy as np

from recsys.evaluation.audit.clicks import Bools, Clicks
from recsys.evaluation.audit.findings import PREPARE_AGAIN, Finding
from recsys.evaluation.questions import Questions

SAME_CLICK = "no target stands among its user's earlier clicks as the very same click"
SAME_ITEM = "no target is an item that its user clicked before"


def check_same_click(questions: Questions, clicks: Clicks) -> Finding:
    """The same item at the same time: a row of the log twice, one on either side of the cut."""
    twice = int(_stands_before(questions, clicks).sum())
    return Finding(
        check=SAME_CLICK,
        verdict="leak" if twice else "passed",
        found=f"{twice:,} of {len(questions):,} targets stand there, with the same item and the same time",
        remedy=f"the log holds clicks twice: {PREPARE_AGAIN}" if twice else "",
        numbers={"targets twice": twice},
    )


def check_same_item(questions: Questions, clicks: Clicks) -> Finding:
    repeated, num_users = int(questions.are_repeated.sum()), len(questions)
    positions = questions.held_out.positions
    at_once = int((clicks.items[positions] == clicks.items[positions - 1]).sum())
    fate = "the filter takes them out: misses for every system" if questions.filters_seen else "nothing is filtered"
    return Finding(
        check=SAME_ITEM,
        verdict="noted" if repeated else "passed",
        found=f"{repeated:,} of {num_users:,} targets ({repeated / max(1, num_users):.1%}) are, "
        f"{at_once:,} of them the item of the click just before; {fate}",
        remedy="most targets repeat the click just before them, which is no recommendation: set recommend.exclude_seen"
        if at_once > num_users / 2 and not questions.filters_seen
        else "",
        numbers={"repeated targets": repeated, "repeated at once": at_once, "filtered": float(questions.filters_seen)},
    )


def _stands_before(questions: Questions, clicks: Clicks) -> Bools:
    """[N] going back through the clicks of the target's time, one step a round, until nobody has any left."""
    positions = questions.held_out.positions
    begins = np.asarray(questions.dataset.histories.offsets)[questions.held_out.users]
    found = np.zeros(len(positions), dtype=bool)
    asked, step = np.arange(len(positions)), 1
    while len(asked):
        asked = asked[positions[asked] - step >= begins[asked]]
        before = positions[asked] - step
        is_tied = clicks.times[before] == clicks.times[positions[asked]]
        is_same = is_tied & (clicks.items[before] == clicks.items[positions[asked]])
        found[asked[is_same]] = True
        asked, step = asked[is_tied & ~is_same], step + 1
    return found
