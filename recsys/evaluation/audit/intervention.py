"""Proof by intervention: what a system must not know is changed, the system is made anew, and its scores must stay.

    test clicks         every target of those asked, and every test click of all others, is on another item; the last
                        one of each user is later, but for a system that is told when it happens
    validation clicks   all of those not asked are on other items

A retriever is taken as it was trained: what is proved of it is what it reads when it is asked. What it learnt from is
looked at in reading.py.

A setting may be chosen by validation clicks, but they may not be counted. A choice falls on one of few settings; a
count moves with every click. So where scores depend on validation clicks, three times a few of these are changed: who
counts has other scores each time.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np
import torch

from recsys.data.dataset import Dataset
from recsys.evaluation.audit.clicks import Bools, Clicks
from recsys.evaluation.audit.counterfactual import with_later_times, with_other_items
from recsys.evaluation.audit.findings import FAULT, Finding
from recsys.evaluation.audit.masks import STAY
from recsys.evaluation.outcome import RETRIEVER, TITLES
from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import Scorer, System, tiles

TEST = "{}: scores depend on no test click"
VALIDATION = "{}: scores count no validation click"
MAX_USERS = 300
TOLERANCE = 1e-6
"""Of a user's largest score: what another order of the same sums may change."""
ROUNDS = 3
FEW = 0.01
"""Of the validation clicks, in each round."""


class Audit:
    """The worlds in which each system is made: the real one, and what is changed in the others."""

    def __init__(self, questions: Questions, seed: int) -> None:
        self.asked = questions.spread(min(MAX_USERS, max(1, len(questions) // 2)))
        self.clicks = Clicks.of(questions.dataset)
        self.random = np.random.default_rng(seed)
        self.rows = tiles(len(self.asked), len(questions.dataset.items) + 1)
        is_asked = np.zeros(len(questions.dataset.users) + 1, dtype=bool)
        is_asked[self.asked.held_out.users] = True
        of_others = ~is_asked[self.clicks.users]
        self.test = self.clicks.tests & of_others
        self.test[self.asked.held_out.positions] = True
        self.validation = self.clicks.validates & of_others

    @property
    def dataset(self) -> Dataset:
        return self.asked.dataset

    def having(self, dataset: Dataset) -> Questions:
        """The same questions, in another world."""
        return replace(self.asked, dataset=dataset)

    def with_other_tests(self) -> Questions:
        return self.having(with_other_items(self.dataset, self.test, self.random))

    def with_later_tests(self) -> Questions:
        targets = self.dataset.split.test(self.dataset.histories).positions
        return self.having(with_later_times(self.dataset, targets, self.random))

    def with_both(self) -> Questions:
        changed = self.with_other_tests().dataset
        targets = changed.split.test(changed.histories).positions
        return self.having(with_later_times(changed, targets, self.random))

    def with_other_validation(self, chosen: Bools) -> Questions:
        return self.having(with_other_items(self.dataset, chosen, self.random))

    def few(self) -> Bools:
        """Some validation clicks."""
        places = np.flatnonzero(self.validation)
        chosen = np.zeros(len(self.validation), dtype=bool)
        chosen[self.random.choice(places, max(1, round(FEW * len(places))), replace=False)] = True
        return chosen

    def change(self, one: Scorer, other: Scorer) -> float:
        """The largest, relative to the user's largest score."""
        return max(_change(one(rows), other(rows)) for rows in self.rows)


def audit_systems(
    questions: Questions, systems: Mapping[str, System], *, told_time: Collection[str] = (), seed: int
) -> tuple[Finding, ...]:
    """Two findings a system, about at most 300 users, and one about what all of them count by."""
    audit = Audit(questions, seed)
    findings = [_check_counts(audit)]
    for name, system in systems.items():
        real = system(audit.asked)
        title = TITLES.get(name, name)
        changed = audit.with_other_tests() if name in told_time else audit.with_both()
        findings += [_check_test(title, system, real, audit, changed), _check_validation(title, system, real, audit)]
    return tuple(findings)


def _check_counts(audit: Audit) -> Finding:
    expected, held_out = audit.dataset.training_counts(), ~audit.clicks.trains
    counts = with_other_items(audit.dataset, held_out, audit.random).training_counts()
    wrong = int((counts != expected).sum())
    return Finding(
        check=STAY,
        verdict="leak" if wrong else "passed",
        found=f"with {int(held_out.sum()):,} held-out clicks replaced, the counts of {wrong:,} items change",
        remedy=FAULT if wrong else "",
        numbers={"changed counts": wrong},
    )


def _check_test(name: str, system: System, real: Scorer, audit: Audit, changed: Questions) -> Finding:
    change = audit.change(real, system(changed))
    given = " and its weights as given" if name == TITLES[RETRIEVER] else ""
    told = f"with {int(audit.test.sum()):,} test clicks replaced{given}"
    if change <= TOLERANCE:
        found = f"{told}, the scores of {len(audit.asked):,} users {_stay(change)}"
        return Finding(check=TEST.format(name), verdict="passed", found=found, numbers={"change": change})
    if audit.change(real, system(audit.asked)) > TOLERANCE:
        return _not_repeatable(TEST.format(name))
    by_items = audit.change(real, system(audit.with_other_tests())) > TOLERANCE
    by_times = audit.change(real, system(audit.with_later_tests())) > TOLERANCE
    what = " and ".join([*["which items were clicked"] * by_items, *["when"] * by_times])
    return Finding(
        check=TEST.format(name),
        verdict="leak",
        found=f"{told}, scores change by {change:.2g} of a user's largest score: {name} knows {what}",
        remedy=f"make {name} of training clicks and of what each user clicked before the target, and of nothing else",
        numbers={"change": min(change, 1e9), "by items": float(by_items), "by times": float(by_times)},
    )


def _check_validation(name: str, system: System, real: Scorer, audit: Audit) -> Finding:
    check = VALIDATION.format(name)
    if not audit.validation.any():
        found = "the users who are not asked have no validation clicks"
        return Finding(check=check, verdict="not applicable", found=found)
    told = f"with {int(audit.validation.sum()):,} validation clicks of other users replaced"
    change = audit.change(real, system(audit.with_other_validation(audit.validation)))
    if change <= TOLERANCE:
        return Finding(check=check, verdict="passed", found=f"{told}, the scores {_stay(change)}")
    if audit.change(real, system(audit.asked)) > TOLERANCE:
        return _not_repeatable(check)
    counts = _counts_validation(system, real, audit)
    return Finding(
        check=check,
        verdict="leak" if counts else "noted",
        found=f"{told}, scores change by {change:.2g} of a user's largest score"
        + (f", and otherwise with each {FEW:.0%} of them" if counts else ": they choose a setting, and no more"),
        remedy=f"make {name} of training clicks alone; validation clicks may choose a setting" if counts else "",
        numbers={"change": min(change, 1e9)},
    )


def _counts_validation(system: System, real: Scorer, audit: Audit) -> bool:
    """Whether the scores are others in every round, and differ between the rounds."""
    scorers = [real, *(system(audit.with_other_validation(audit.few())) for _ in range(ROUNDS))]
    return all(audit.change(one, other) > TOLERANCE for one, other in combinations(scorers, 2))


def _not_repeatable(check: str) -> Finding:
    found = "nothing can be proved: made twice of the same clicks, its scores differ"
    return Finding(check=check, verdict="noted", found=found, remedy="fix the seed of whatever it draws")


def _stay(change: float) -> str:
    return f"stay as they are, up to {change:.0e}" if change else "stay as they are, to the bit"


def _change(one: torch.Tensor, other: torch.Tensor) -> float:
    if one.equal(other):
        return 0.0
    # what is -inf in both has not changed, and inf - inf is no number
    difference = torch.where(one == other, 0.0, (one - other).abs())
    size = one.abs().masked_fill(~one.isfinite(), 0.0).amax(dim=1).clamp(min=1e-30)
    return float((difference.amax(dim=1) / size).nan_to_num(float("inf")).max())
