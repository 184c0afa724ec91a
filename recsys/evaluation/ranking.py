"""Ranks of the held-out items and the lists behind them, from scores that are made tile by tile.

Ties rank the target last. The lists say the same: among items of one score the target comes last and the others by
their index, so that its place in the list is its rank. What its rank would be if ties favoured it is told beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys.evaluation.questions import Questions
from recsys.topk import UNRANKED, Exclusions, TopK, target_ranks, topk_of_scores, whole_rows

Scorer = Callable[[slice], Tensor]
"""Rows of test users -> a fresh [rows, items + 1] tensor of float32 scores."""
System = Callable[[Questions], Scorer]
"""Made of the questions' dataset, of its training clicks alone; scores the questions' users."""


@dataclass(frozen=True)
class Ranking:
    """[N] the target's rank from 1, or UNRANKED; [N, k] lists, 0 and -inf where there is nothing left to list."""

    ranks: NDArray[np.int64]
    ranks_if_first: NDArray[np.int64]
    """The target's rank if it came first among items of its score."""
    items: NDArray[np.int32]
    scores: NDArray[np.float32]


def rank(questions: Questions, scorer: Scorer, *, k: int, advance: Callable[[int], object]) -> Ranking:
    """Full ranking over all candidates; `advance` is told of users as they are done."""
    candidates = torch.from_numpy(np.array(questions.dataset.candidates))
    ranks, ranks_if_first = np.empty((2, len(questions)), dtype=np.int64)
    items = np.empty((len(questions), k), dtype=np.int32)
    scores = np.empty((len(questions), k), dtype=np.float32)
    for rows in tiles(len(questions), len(candidates)):
        targets = torch.from_numpy(questions.targets[rows])
        tile = _rank_tile(scorer(rows), targets, k, candidates, questions.exclusions(rows))
        ranks[rows], ranks_if_first[rows] = tile.ranks.cpu(), tile.ranks_if_first.cpu()
        items[rows], scores[rows] = tile.best.indices_UK.cpu(), tile.best.scores_UK.cpu()
        advance(len(targets))
    return Ranking(ranks, ranks_if_first, items, scores)


def tiles(num_users: int, num_items: int) -> list[slice]:
    """Rows whose scores fit one tile."""
    step = whole_rows(num_items)
    return [slice(start, min(start + step, num_users)) for start in range(0, num_users, step)]


@dataclass(frozen=True)
class _Tile:
    ranks: Tensor
    ranks_if_first: Tensor
    best: TopK


def _rank_tile(scores: Tensor, targets: Tensor, k: int, candidates: Tensor, exclusions: Exclusions | None) -> _Tile:
    targets = targets.to(scores.device)
    # this masks the scores in place: what cannot be returned is -inf from here on
    ranks = target_ranks(scores, targets, candidates_V=candidates, exclusions=exclusions)
    own = scores.gather(1, targets[:, None])[:, 0]
    assert not own.isnan().any(), "a score is not a number"
    num_better = (scores > own[:, None]).sum(dim=1)
    scores.scatter_(1, targets[:, None], float("-inf"))
    others = topk_of_scores(scores, k=k)
    best = TopK(_insert(others.indices_UK, targets, ranks), _insert(others.scores_UK, own, ranks))
    return _Tile(ranks, torch.where(ranks == UNRANKED, ranks, num_better + 1), best)


def _insert(others: Tensor, own: Tensor, ranks: Tensor) -> Tensor:
    """[U, k] puts each user's own value at its rank, the later ones one further; a rank beyond k changes nothing."""
    places = torch.arange(1, others.shape[1] + 1, device=others.device)
    shifted = torch.cat([others[:, :1], others[:, :-1]], dim=1)
    moved = torch.where(places > ranks[:, None], shifted, others)
    return torch.where(places == ranks[:, None], own[:, None], moved)
