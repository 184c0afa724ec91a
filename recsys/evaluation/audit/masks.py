"""What is derived from the training clicks and stored, or counted, is what a recount finds."""

import numpy as np

from recsys.data.dataset import Dataset
from recsys.evaluation.audit.clicks import Bools, Clicks, Int64
from recsys.evaluation.audit.findings import FAULT, PREPARE_AGAIN, Finding

TRAINED = "the items marked as trained are those with a training click"
CANDIDATES = "what can be recommended does not depend on held-out clicks"
COUNTS = "items are counted by their training clicks alone"
STAY = "the counts of items stay when held-out clicks are replaced"
CATALOGUE = "every item of the catalogue owes its place there to training clicks"


def check_trained_items(dataset: Dataset, clicks: Clicks) -> Finding:
    marked, clicked = np.asarray(dataset.trained_items), recount(dataset, clicks) > 0
    return _compared(TRAINED, marked, clicked, "items marked as trained")


def check_candidates(dataset: Dataset, clicks: Clicks) -> Finding:
    """The items clicked in training, or under leave-last-out the whole catalogue; never padding."""
    expected = recount(dataset, clicks) > 0
    if dataset.manifest.split == "leave_last_out":
        expected = np.arange(len(expected)) > 0
    return _compared(CANDIDATES, np.asarray(dataset.candidates), expected, "candidates")


def check_counts(dataset: Dataset, clicks: Clicks) -> Finding:
    counts, expected = dataset.training_counts(), recount(dataset, clicks)
    wrong = int((counts != expected).sum()) if counts.shape == expected.shape else len(expected)
    return Finding(
        check=COUNTS,
        verdict="leak" if wrong else "passed",
        found=f"{int(counts.sum()):,} clicks are counted, {int(clicks.trains.sum()):,} train; "
        f"the counts of {wrong:,} items are not those of a recount",
        remedy=FAULT if wrong else "",
        numbers={"wrong counts": wrong, "training clicks": int(clicks.trains.sum())},
    )


def check_catalogue(dataset: Dataset, clicks: Clicks) -> Finding:
    """An untrained candidate gives itself away: somebody's held-out click is all that can have brought it there."""
    untrained = int((np.asarray(dataset.candidates)[1:] & (recount(dataset, clicks)[1:] == 0)).sum())
    return Finding(
        check=CATALOGUE,
        verdict="noted" if untrained else "passed",
        found=f"{untrained:,} of {int(np.asarray(dataset.candidates).sum()):,} candidates have held-out clicks only; "
        f"a system that sought items without a training click would find them",
        numbers={"candidates with held-out clicks only": untrained},
    )


def recount(dataset: Dataset, clicks: Clicks) -> Int64:
    """[items + 1] training clicks."""
    return np.pad(clicks.training_counts, (0, len(dataset.items) + 1 - len(clicks.training_counts)))


def _compared(check: str, marked: Bools, expected: Bools, what: str) -> Finding:
    extra, missing = int((marked & ~expected).sum()), int((expected & ~marked).sum())
    wrong = extra + missing > 0
    return Finding(
        check=check,
        verdict="leak" if wrong else "passed",
        found=f"{int(marked.sum()):,} {what}; {extra:,} should not be, {missing:,} are missing",
        remedy=PREPARE_AGAIN if wrong else "",
        numbers={"marked": int(marked.sum()), "too many": extra, "missing": missing},
    )
