"""A few test users from near: what was known of them, what was recommended, what they clicked.

Nobody picks them: they are drawn by the rank of their target and by the length of their history. Of all who meet a
wish, the one of middling history length is shown.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from recsys.evaluation.config import K
from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import Ranking
from recsys.evaluation.report.contents import Example, Recommended
from recsys.evaluation.report.shown import shown_items, user_id
from recsys.topk import UNRANKED

Int64 = NDArray[np.int64]

NUM_CLICKS = 8
"""How much of a history is shown."""


def examples(questions: Questions, ranking: Ranking) -> tuple[Example, ...]:
    """Each user once; a wish that nobody is left to meet is dropped."""
    lengths = _lengths(questions)
    order = np.argsort(lengths, kind="stable")
    is_readable = questions.pasts(1).lengths > 0
    chosen: dict[int, str] = {}
    for why, row in (*_by_rank(questions, ranking.ranks, order), *_by_length(order)):
        chosen.setdefault(row, why if is_readable[row] else f"{why}; nothing of the history could be read")
    return tuple(_example(questions, ranking, row, why) for row, why in chosen.items())


def _by_rank(questions: Questions, ranks: Int64, order: Int64) -> Iterator[tuple[str, int]]:
    """Why, and whom. `order` is of users by history length."""
    is_candidate = questions.dataset.candidates[questions.targets]
    wishes = {
        "the target came first": ranks == 1,
        "the target came third": ranks == 3,
        f"a narrow hit: the target came {K}th": ranks == K,
        f"a near miss: the target came {K + 1}th to {2 * K}th": (ranks > K) & (ranks <= 2 * K),
        "the user had clicked the target before, and the filter takes it out": (ranks == UNRANKED) & is_candidate,
        "the target is no candidate": ~is_candidate,
    }
    for why, meets in wishes.items():
        fitting = order[meets[order]]
        if len(fitting):
            yield f"{why}, as for {len(fitting):,} of {len(ranks):,} users", int(fitting[len(fitting) // 2])
    by_rank = np.argsort(ranks, kind="stable")
    yield "the middle of all users by the rank of the target", int(by_rank[len(by_rank) // 2])
    yield "nine users in ten had their target as early or earlier", int(by_rank[len(by_rank) * 9 // 10])


def _by_length(order: Int64) -> Iterator[tuple[str, int]]:
    yield "a short history, the 5 % quantile", int(order[len(order) // 20])
    yield "a long history, the 95 % quantile", int(order[len(order) * 19 // 20])


def _lengths(questions: Questions) -> Int64:
    """[N] clicks before the target."""
    return questions.held_out.positions - np.asarray(questions.dataset.histories.offsets)[questions.held_out.users]


def _example(questions: Questions, ranking: Ranking, row: int, why: str) -> Example:
    dataset = questions.dataset
    user, position = int(questions.held_out.users[row]), int(questions.held_out.positions[row])
    begin = max(int(dataset.histories.offsets[user]), position - NUM_CLICKS)
    target, listed = int(questions.targets[row]), ranking.items[row, :K]
    listed = listed[listed > 0]
    recommended = enumerate(zip(shown_items(dataset, listed), listed == target, strict=True), start=1)
    rank = int(ranking.ranks[row])
    return Example(
        user_id=user_id(dataset, user),
        why=why,
        history=shown_items(dataset, dataset.histories.items[begin:position]),
        num_earlier=begin - int(dataset.histories.offsets[user]),
        recommended=tuple(Recommended(item, place, bool(is_target)) for place, (item, is_target) in recommended),
        target=shown_items(dataset, [target])[0],
        target_rank=None if rank == UNRANKED else rank,
    )
