"""Exact top-k against a naive sort, with every kind of exclusion, tied or not."""

import numpy as np
import pytest
import torch

from recsys import topk as module
from recsys.topk import UNRANKED, Exclusions, target_ranks, topk, topk_of_scores

USERS, ITEMS, DIM = 23, 40, 6


@pytest.fixture(params=[1 << 22, 3 * (ITEMS + 1), 1], ids=["one-tile", "three-rows", "one-row"])
def tile(request, monkeypatch):
    monkeypatch.setattr(module, "TILE_SCORES", request.param)


def vectors(whole_numbers: bool) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    users, items = (torch.randn(n, DIM, generator=generator) for n in (USERS, ITEMS + 1))
    return (users.round(), items.round()) if whole_numbers else (users, items)


def exclusions(per_user: int) -> Exclusions:
    generator = torch.Generator().manual_seed(1)
    counts = torch.randint(0, per_user + 1, (USERS,), generator=generator)
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    return Exclusions(torch.randint(1, ITEMS + 1, (int(offsets[-1]),), generator=generator), offsets)


def naive(scores_V: torch.Tensor, banned: set[int], k: int) -> list[int]:
    allowed = [item for item in range(1, ITEMS + 1) if item not in banned]
    return sorted(allowed, key=lambda item: (-float(scores_V[item]), item))[:k]


@pytest.mark.usefixtures("tile")
@pytest.mark.parametrize("whole_numbers", [False, True], ids=["distinct", "tied"])
@pytest.mark.parametrize("k", [1, 5, ITEMS, ITEMS + 9])
def test_equals_a_naive_sort(whole_numbers, k):
    users_UD, items_VD = vectors(whole_numbers)
    excluded, candidates_V = exclusions(60), torch.arange(ITEMS + 1) % 7 != 3
    best = topk(users_UD, items_VD, k=k, candidates_V=candidates_V, exclusions=excluded)
    for user in range(USERS):
        mine = excluded.items_E[excluded.offsets_U[user] : excluded.offsets_U[user + 1]].tolist()
        expected = naive(items_VD @ users_UD[user], {*mine, *(~candidates_V).nonzero().flatten().tolist()}, k)
        assert best.indices_UK[user].tolist() == expected + [0] * (k - len(expected))
        assert (best.scores_UK[user, len(expected) :] == float("-inf")).all()


def test_the_rank_of_a_target_counts_ties_against_it():
    scores_UV = torch.tensor([[9.0, 1.0, 3.0, 3.0, 2.0]]).repeat(3, 1)
    ranks_U = target_ranks(scores_UV.clone(), torch.tensor([2, 3, 4]))
    assert ranks_U.tolist() == [2, 2, 3]


def test_an_excluded_target_is_unranked():
    scores_UV = torch.tensor([[9.0, 1.0, 3.0, 5.0, 2.0]])
    excluded = Exclusions(torch.tensor([3]), torch.tensor([0, 1]))
    assert target_ranks(scores_UV, torch.tensor([3]), exclusions=excluded).item() == UNRANKED


def test_ranks_agree_with_lists():
    users_UD, items_VD = vectors(False)
    scores_UV, targets_U = users_UD @ items_VD.T, torch.arange(USERS) % ITEMS + 1
    lists_UK = topk_of_scores(scores_UV.clone(), k=ITEMS).indices_UK
    expected_U = (lists_UK == targets_U[:, None]).int().argmax(dim=1) + 1
    assert target_ranks(scores_UV, targets_U).tolist() == expected_U.tolist()


def test_no_users_no_lists():
    assert topk(torch.zeros(0, DIM), torch.zeros(ITEMS + 1, DIM), k=3).indices_UK.shape == (0, 3)


def test_stretches_of_a_flat_array_become_exclusions():
    items = np.array([7, 8, 9, 4, 5], dtype=np.int32)
    made = Exclusions.of_stretches(items, np.array([0, 3, 3]), np.array([2, 3, 5]))
    assert made.items_E.tolist() == [7, 8, 4, 5]
    assert made.offsets_U.tolist() == [0, 2, 2, 4]
    assert made.rows(1, 3).items_E.tolist() == [4, 5]
