"""Exact top-k against a naive sort, with every kind of exclusion, tied or not."""

import numpy as np
import pytest
import torch

from recsys import topk as module
from recsys.topk import UNRANKED, Exclusions, target_ranks, topk, topk_of_scores

USERS, ITEMS, DIM = 23, 40, 6


# users and items of a tile, and items of a block
TILES = [(256, 8192, 64), (3, 1, 64), (5, 3, 1), (1, 7, 3), (23, 16, 2), (4, ITEMS, 4)]


@pytest.fixture(params=TILES, ids=lambda sizes: "x".join(map(str, sizes)))
def tile(request, monkeypatch):
    num_users, num_items, block = request.param
    sizes = {"TILE_USERS": num_users, "TILE_SCORES": num_users * num_items, "ROW_TILE_SCORES": 0, "BLOCK": block}
    for name, size in {**sizes, "LINE": 1, "MANY_SCORES": 0}.items():
        monkeypatch.setattr(module, name, size)


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


@pytest.mark.usefixtures("tile")
@pytest.mark.parametrize("k", [1, 3, 7])
def test_of_many_equal_scores_the_smaller_indices_are_returned(k):
    items_VD = torch.arange(ITEMS + 1).remainder(3)[:, None].float()
    best = topk(torch.ones(USERS, 1), items_VD, k=k)
    assert best.indices_UK.tolist() == [list(range(2, ITEMS + 1, 3))[:k]] * USERS
    assert best.scores_UK.eq(2).all()


@pytest.mark.usefixtures("tile")
def test_a_batch_is_its_users_one_by_one():
    users_UD, items_VD = vectors(True)
    excluded = exclusions(30)
    together = topk(users_UD, items_VD, k=5, exclusions=excluded)
    for user in range(USERS):
        alone = topk(users_UD[user : user + 1], items_VD, k=5, exclusions=excluded.rows(user, user + 1))
        assert torch.equal(alone.indices_UK[0], together.indices_UK[user])
        assert torch.equal(alone.scores_UK[0], together.scores_UK[user])


@pytest.mark.usefixtures("tile")
def test_lists_of_vectors_are_lists_of_their_scores():
    users_UD, items_VD = vectors(True)
    wanted = {"k": 9, "candidates_V": torch.arange(ITEMS + 1) % 5 != 1, "exclusions": exclusions(20)}
    best, expected = topk(users_UD, items_VD, **wanted), topk_of_scores(users_UD @ items_VD.T, **wanted)
    assert torch.equal(best.indices_UK, expected.indices_UK)
    assert torch.equal(best.scores_UK, expected.scores_UK)


@pytest.mark.usefixtures("tile")
def test_nan_comes_first_and_minus_infinity_never():
    items_VD = torch.ones(ITEMS + 1, 1)
    items_VD[[9, 30]] = torch.tensor([[float("nan")], [float("-inf")]])
    best = topk(torch.ones(USERS, 1), items_VD, k=ITEMS)
    others = [item for item in range(1, ITEMS + 1) if item not in {9, 30}]
    assert best.indices_UK.tolist() == [[9, *others, 0]] * USERS


@pytest.mark.usefixtures("tile")
def test_the_arguments_are_left_alone():
    users_UD, items_VD = vectors(False)
    candidates_V, excluded = torch.arange(ITEMS + 1) % 7 != 3, exclusions(10)
    arguments = [users_UD, items_VD, candidates_V, excluded.items_E, excluded.offsets_U]
    copies = [argument.clone() for argument in arguments]
    topk(users_UD.requires_grad_(), items_VD, k=3, candidates_V=candidates_V, exclusions=excluded)
    assert all(torch.equal(argument, copy) for argument, copy in zip(arguments, copies, strict=True))


def test_a_wide_catalogue_equals_a_stable_sort():
    generator = torch.Generator().manual_seed(2)
    users_UD, items_VD = (torch.randint(-4, 5, (n, 3), generator=generator).float() for n in (300, 40_000))
    offsets = torch.arange(301) * 50
    excluded = Exclusions(torch.randint(1, 40_000, (300 * 50,), generator=generator), offsets)
    best = topk(users_UD, items_VD, k=10, exclusions=excluded)
    scores_UV = users_UD @ items_VD.T
    scores_UV[:, 0] = float("-inf")
    excluded.apply_(scores_UV)
    sorted_UV = scores_UV.sort(dim=1, descending=True, stable=True)
    assert torch.equal(best.indices_UK, sorted_UV.indices[:, :10])
    assert torch.equal(best.scores_UK, sorted_UV.values[:, :10])


def test_no_more_than_a_tile_of_scores_is_made(monkeypatch):
    sizes, product = [], torch.mm

    def measured(*factors, out):
        sizes.append(out.numel())
        return product(*factors, out=out)

    monkeypatch.setattr(torch, "mm", measured)
    topk(torch.randn(300, 2), torch.randn(50_000, 2), k=3)
    assert sum(sizes) == 300 * 50_000
    assert max(sizes) <= 1.01 * module.ROW_TILE_SCORES


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


@pytest.mark.parametrize("width", [1, 3, 7, ITEMS + 1, 99])
def test_places_tile_by_tile_are_the_excluded_pairs(width):
    excluded, num_tiles = exclusions(20), -(-(ITEMS + 1) // width)
    expected_UV = torch.zeros(USERS, num_tiles * width)
    excluded.apply_(expected_UV)
    tiles_TUW = torch.zeros(num_tiles, USERS, width)
    for tile_UW, places_E in zip(tiles_TUW, excluded.places(width, num_tiles), strict=True):
        tile_UW.view(-1)[places_E] = float("-inf")
    assert torch.equal(torch.cat(list(tiles_TUW), dim=1), expected_UV)
