"""Leaks in the code that hands the data out, in a system, in the lists."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recsys.data.dataset import Dataset
from recsys.data.histories import Histories
from recsys.data.split import Split
from recsys.data.windows import training_windows
from recsys.evaluation.audit.data import audit_data
from recsys.evaluation.audit.findings import Finding
from recsys.evaluation.audit.intervention import System
from recsys.evaluation.audit.rankings import audit_rankings
from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import Ranking
from tests.evaluation.audit import systems
from tests.evaluation.audit.garden import Garden, asked, audited, ranked

# --- in the code that hands the data out


class CountsEverything(Dataset):
    def training_counts(self) -> np.ndarray:
        return np.bincount(self.histories.items, minlength=len(self.items) + 1)


class ReadsTheTarget(Questions):
    def pasts(self, max_length: int, *, reads_times: bool = False) -> Any:
        held_out = replace(self.held_out, positions=self.held_out.positions + 1)
        return Questions(self.dataset, held_out, self.filters_seen).pasts(max_length, reads_times=reads_times)


def counts_of_everything(garden: Garden) -> list[Finding]:
    dataset = garden.dataset("by_time")
    fields = {name: getattr(dataset, name) for name in dataset.__dataclass_fields__}
    return list(audit_data(asked(CountsEverything(**fields))))


def a_past_that_holds_the_target(garden: Garden) -> list[Finding]:
    questions = asked(garden.dataset("by_time"))
    return audited(ReadsTheTarget(questions.dataset, questions.held_out, questions.filters_seen))


def training_on_whole_histories(garden: Garden) -> list[Finding]:
    def whole(histories: Histories, split: Split) -> Any:
        return training_windows(histories, replace(split, train_end=histories.offsets[1:]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recsys.data.batches.training_windows", whole)
        return audited(asked(garden.dataset("leave_last_out")))


def questions_about_validation(garden: Garden) -> list[Finding]:
    dataset = garden.dataset("leave_last_out")
    return list(audit_data(Questions.of_validation(dataset, exclude_seen=True, max_users=100)))


# --- in a system


def system(kind: str, planted: System) -> Callable[[Garden], list[Finding]]:
    return lambda garden: audited(asked(garden.dataset(kind)), {"planted": planted})


# --- in the lists


def listed(spoil: Callable[[Questions, Ranking], None]) -> Callable[[Garden], list[Finding]]:
    def make(garden: Garden) -> list[Finding]:
        questions = asked(garden.dataset("by_time"))
        ranking = ranked(questions, systems.popular)
        spoil(questions, ranking)
        return [*audited(questions), *audit_rankings(questions, {"planted": ranking})]

    return make


def other_item(questions: Questions, ranking: Ranking, item: int) -> None:
    """In the last place of somebody whose target is not in the list."""
    row = int(np.flatnonzero(ranking.ranks > ranking.items.shape[1])[0])
    ranking.items[row, -1] = item or questions.dataset.histories.items[questions.held_out.positions[row] - 1]


def a_seen_item(questions: Questions, ranking: Ranking) -> None:
    other_item(questions, ranking, 0)


def an_item_without_training(questions: Questions, ranking: Ranking) -> None:
    other_item(questions, ranking, int(np.flatnonzero(~questions.dataset.candidates)[-1]))


def an_item_twice(_: Questions, ranking: Ranking) -> None:
    row = int(np.flatnonzero(ranking.ranks > ranking.items.shape[1])[0])
    ranking.items[row, -1] = ranking.items[row, 0]


def better_ranks(_: Questions, ranking: Ranking) -> None:
    for ranks in (ranking.ranks, ranking.ranks_if_first):
        ranks[ranks > 1] -= 1
