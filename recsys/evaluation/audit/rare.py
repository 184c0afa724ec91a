"""What data.events.min_clicks lets in: whether clicks that are to be predicted had a say in it."""

import numpy as np
from numpy.typing import NDArray

from recsys.data.config import DataConfig
from recsys.evaluation.audit.clicks import Clicks, Int64
from recsys.evaluation.audit.findings import PREPARE_AGAIN, Finding
from recsys.evaluation.questions import Questions

ITEMS = "no item is a candidate thanks to the test clicks that data.events.min_clicks.per_item counts"
USERS = "no user trains thanks to the test clicks that data.events.min_clicks.per_user counts"


def audit_log(config: DataConfig, questions: Questions) -> tuple[Finding, ...]:
    """What the dataset alone cannot tell, with the configuration that it was made by."""
    least = config.events.min_clicks
    if least.per_item == least.per_user == 1:
        found = "data.events.min_clicks leaves nothing out"
        return tuple(Finding(check=check, verdict="not applicable", found=found) for check in (ITEMS, USERS))
    clicks = Clicks.of(questions.dataset)
    # once, items first: what an item lacks may have left with its users
    is_exact = least.until_stable or least.per_user == 1
    return _check_items(questions, clicks, least.per_item, is_exact), _check_users(questions, clicks, least.per_user)


def _check_items(questions: Questions, clicks: Clicks, least: int, is_exact: bool) -> Finding:
    """By time a leak. Leave-last-out is defined so in the literature, and is noted."""
    candidates = np.asarray(questions.dataset.candidates)
    few = candidates & (_before_test(clicks.items, clicks, len(candidates)) < least)
    among_targets = float(np.mean(few[questions.targets])) if len(questions) else 0.0
    is_leak = bool(few.any()) and questions.dataset.manifest.split == "by_time" and is_exact
    return Finding(
        check=ITEMS,
        verdict="leak" if is_leak else "noted" if few.any() else "passed",
        found=f"{int(few.sum()):,} of {int(candidates.sum()):,} candidates have fewer than {least} clicks without the "
        f"test clicks; {among_targets:.2%} of the targets are among them",
        remedy=f"test clicks were counted, and by time they may not be: {PREPARE_AGAIN}" if is_leak else "",
        numbers={"candidates by test clicks": int(few.sum()), "share of targets": among_targets},
    )


def _check_users(questions: Questions, clicks: Clicks, least: int) -> Finding:
    num_rows = len(questions.dataset.users) + 1
    trains = np.bincount(clicks.users[clicks.trains], minlength=num_rows) > 0
    few = trains & (_before_test(clicks.users, clicks, num_rows) < least)
    share = float(np.mean(few[clicks.users[clicks.trains]]))
    return Finding(
        check=USERS,
        verdict="noted" if few.any() else "passed",
        found=f"{int(few.sum()):,} users who train have fewer than {least} clicks without their test clicks; "
        f"{share:.2%} of the training clicks are theirs",
        numbers={"users by test clicks": int(few.sum()), "share of training clicks": share},
    )


def _before_test(owners: NDArray[np.int32], clicks: Clicks, num_rows: int) -> Int64:
    return np.bincount(owners[~clicks.tests], minlength=num_rows)
