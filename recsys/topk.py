"""Exact top-k of users against items, in tiles, with exclusions. Knows vectors and row numbers, not items.

Row 0 of every item table is padding and is never returned. Ties go to the smaller index.
Shape letters: U users, V items (row 0 included), W items of one tile, D width, E excluded pairs, N blocks of items.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Int64 = NDArray[np.int64]

# Scores of one tile: 4 M floats are 16 MB.
TILE_SCORES = 1 << 22
# Users of one tile where the catalogue is too wide for more: a product of fewer is slower.
TILE_USERS = 256
# Where so many users' whole rows fit in 32 MB there is one tile: to merge lists costs more than smaller products do.
ROW_USERS, ROW_TILE_SCORES = 64, 1 << 23
# Whole rows are passed over several times: 4 MB stay in a CPU's cache. A product of fewer users waits for the items.
ROW_SCORES, LEAST_USERS = 1 << 20, 16
# A tile's rows begin with a cache line, or the product is up to twice as slow.
LINE = 16
# Of so many neighbouring items only the best is looked at first, where there are enough scores for that to pay.
BLOCK, MANY_SCORES = 64, 1 << 16
UNRANKED = torch.iinfo(torch.int64).max
NOTHING = float("-inf")


@dataclass(frozen=True)
class TopK:
    """[U, k] item indices by falling score; 0 and -inf where fewer than k items could be returned."""

    indices_UK: Tensor
    scores_UK: Tensor


@dataclass(frozen=True)
class Exclusions:
    """Items that each user must not get: user u's are items_E[offsets_U[u] : offsets_U[u + 1]]."""

    items_E: Tensor
    offsets_U: Tensor

    @classmethod
    def of_stretches(cls, items: NDArray[np.integer], begins: Int64, ends: Int64) -> "Exclusions":
        """User u's are items[begins[u] : ends[u]], out of one flat array."""
        lengths = ends - begins
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        index = np.arange(offsets[-1]) + np.repeat(begins - offsets[:-1], lengths)
        return cls(torch.from_numpy(items[index].astype(np.int64)), torch.from_numpy(offsets))

    def rows(self, start: int, stop: int) -> "Exclusions":
        """The exclusions of users [start, stop)."""
        first, last = int(self.offsets_U[start]), int(self.offsets_U[stop])
        return Exclusions(self.items_E[first:last], self.offsets_U[start : stop + 1] - first)

    def places(self, width: int, num_tiles: int) -> tuple[Tensor, ...]:
        """For each tile of `width` items: where the excluded pairs lie in its scores, [U, width] laid flat."""
        users_E = self._users()
        if num_tiles == 1:
            return (users_E * width + self.items_E,)
        # with the tiles laid one behind the other every pair has one place, and a single sort parts them by tile
        size = (len(self.offsets_U) - 1) * width
        places_E = (self.items_E // width * size + users_E * width + self.items_E % width).sort().values
        bounds = torch.searchsorted(places_E, torch.arange(1, num_tiles) * size)
        return tuple(part_E % size for part_E in places_E.tensor_split(bounds))

    def apply_(self, scores_UV: Tensor) -> None:
        """Sets what is excluded to -inf, in place."""
        device = scores_UV.device
        scores_UV[self._users().to(device), self.items_E.to(device)] = NOTHING

    def _users(self) -> Tensor:
        """[E] whose each excluded item is."""
        return torch.repeat_interleave(torch.arange(len(self.offsets_U) - 1), self.offsets_U.diff())


def mask_scores_(scores_UV: Tensor, *, candidates_V: Tensor | None, exclusions: Exclusions | None) -> Tensor:
    """Sets padding, non-candidates and exclusions to -inf, in place, and returns the same tensor."""
    _fill_columns_(scores_UV, _barred(scores_UV.shape[1], candidates_V))
    if exclusions is not None:
        exclusions.apply_(scores_UV)
    return scores_UV


def topk_of_scores(
    scores_UV: Tensor, *, k: int, candidates_V: Tensor | None = None, exclusions: Exclusions | None = None
) -> TopK:
    """The k best of ready-made scores, which are overwritten."""
    return _listed(mask_scores_(scores_UV, candidates_V=candidates_V, exclusions=exclusions), k)


@torch.no_grad()
def topk(
    users_UD: Tensor,
    items_VD: Tensor,
    *,
    k: int,
    candidates_V: Tensor | None = None,
    exclusions: Exclusions | None = None,
) -> TopK:
    """The k items of largest inner product with each user, tile by tile: never more than one tile of scores exists."""
    return _topk(users_UD, items_VD, k, _barred(len(items_VD), candidates_V), exclusions)


@torch.no_grad()
def nearest_rows(queries_UD: Tensor, vectors_VD: Tensor, *, k: int) -> TopK:
    """The same of a table without padding: every row may be returned."""
    return _topk(queries_UD, vectors_VD, k, torch.zeros(len(vectors_VD), dtype=torch.bool), None)


def target_ranks(
    scores_UV: Tensor, targets_U: Tensor, *, candidates_V: Tensor | None = None, exclusions: Exclusions | None = None
) -> Tensor:
    """[U] rank of each target from 1; ties rank the target last. The scores are overwritten.

    A target that is excluded, no candidate, or scored NaN is UNRANKED: no hit, however small the catalogue.
    """
    masked_UV = mask_scores_(scores_UV, candidates_V=candidates_V, exclusions=exclusions)
    own_U1 = masked_UV.gather(1, targets_U[:, None])
    # truth values as numbers of the scores' type: a sum of booleans takes five times as long
    reached_UV = torch.ge(masked_UV, own_U1, out=torch.empty_like(masked_UV))
    ranks_U = reached_UV.sum(dim=1, dtype=torch.float64).long()
    return ranks_U.masked_fill(~own_U1[:, 0].isfinite(), UNRANKED)


def whole_rows(num_items: int) -> int:
    """How many users' scores of all items are best made at a time."""
    return max(LEAST_USERS, ROW_SCORES // num_items)


def _tile_shape(num_users: int, num_items: int) -> tuple[int, int]:
    """Users, and items, whose rows begin with a cache line."""
    has_whole_rows = num_items * TILE_USERS > TILE_SCORES and num_items * ROW_USERS <= ROW_TILE_SCORES
    num_scores = ROW_TILE_SCORES if has_whole_rows else TILE_SCORES
    most = num_scores // num_items if has_whole_rows else max(TILE_USERS, num_scores // num_items)
    step = max(1, min(num_users, most))
    return step, -(-min(num_items, -(-num_scores // step)) // LINE) * LINE


def _tiles(
    users_UD: Tensor, items_VD: Tensor, barred_V: Tensor, exclusions: Exclusions | None, tile_UW: Tensor
) -> Iterator[tuple[int, Tensor]]:
    """(first item, scores) from the smallest index on. The scores are masked, and gone when the next tile is made."""
    width = tile_UW.shape[1]
    firsts = range(0, len(items_VD), width)
    excluded = None if exclusions is None else exclusions.places(width, len(firsts))
    for tile, first in enumerate(firsts):
        items_WD = items_VD[first : first + width]
        scores_UW = torch.mm(users_UD, items_WD.T, out=tile_UW[:, : len(items_WD)])
        _fill_columns_(scores_UW, barred_V[first : first + width])
        if excluded is not None:
            tile_UW.view(-1).index_fill_(0, excluded[tile].to(tile_UW.device), NOTHING)
        yield first, scores_UW


def _topk(users_UD: Tensor, items_VD: Tensor, k: int, barred_V: Tensor, exclusions: Exclusions | None) -> TopK:
    step, width = _tile_shape(len(users_UD), len(items_VD))
    tile_UW = users_UD.new_empty(step, width)  # one for all: new memory is cleared, which takes as long as a product
    lists = [TopK(torch.zeros(0, k, dtype=torch.int64), torch.zeros(0, k))] if len(users_UD) == 0 else []
    for start in range(0, len(users_UD), step):
        stop = min(start + step, len(users_UD))
        excluded = None if exclusions is None else exclusions.rows(start, stop)
        lists.append(_search(_tiles(users_UD[start:stop], items_VD, barred_V, excluded, tile_UW[: stop - start]), k))
    return TopK(torch.cat([best.indices_UK for best in lists]), torch.cat([best.scores_UK for best in lists]))


def _search(tiles: Iterator[tuple[int, Tensor]], k: int) -> TopK:
    best = _listed(next(tiles)[1], k)
    for first, scores_UW in tiles:
        # a late tile gives most users nothing: of theirs only the largest score is looked at
        gains_U = ~(scores_UW.amax(dim=1) <= best.scores_UK[:, -1])  # so NaN, the largest of all, gains
        if gains_U.any():
            _insert_(best, gains_U, _listed(scores_UW[gains_U], k), first)
    return best


def _insert_(best: TopK, rows_U: Tensor, found: TopK, first: int) -> None:
    """Puts what some users were found later, among the items from `first` on, into their lists."""
    k = found.scores_UK.shape[1]
    # what was seen earlier stands first, so a stable sort lets it win ties
    scores = torch.cat([best.scores_UK[rows_U], found.scores_UK], dim=1)
    indices = torch.cat([best.indices_UK[rows_U], found.indices_UK + first], dim=1)
    order_UK = scores.argsort(dim=1, descending=True, stable=True)[:, :k]
    best.scores_UK[rows_U] = scores.gather(1, order_UK)
    best.indices_UK[rows_U] = indices.gather(1, order_UK)


def _barred(num_items: int, candidates_V: Tensor | None) -> Tensor:
    """[V] what nobody may get: padding, and what is no candidate."""
    barred_V = torch.zeros(num_items, dtype=torch.bool) if candidates_V is None else ~candidates_V
    barred_V[0] = True
    return barred_V


def _fill_columns_(scores_UW: Tensor, barred_W: Tensor) -> None:
    # most times a few columns; a mask would cost a pass over all scores
    scores_UW.index_fill_(1, barred_W.nonzero()[:, 0].to(scores_UW.device), NOTHING)


def _listed(scores_UV: Tensor, k: int) -> TopK:
    """The k best, filled up where there are fewer."""
    num_ranked = min(k, scores_UV.shape[1])
    best = _stable_topk(scores_UV, num_ranked)
    indices_UK = best.indices_UK.masked_fill(best.scores_UK == NOTHING, 0)
    missing, pad = (0, k - num_ranked), torch.nn.functional.pad
    return TopK(pad(indices_UK, missing), pad(best.scores_UK, missing, value=NOTHING))


def _stable_topk(scores_UV: Tensor, k: int) -> TopK:
    """torch.topk leaves open which of equal scores it returns; here it is the smaller index.

    The k best lie in the k blocks whose best are best, so of a wide row only those are searched.
    """
    num_blocks = scores_UV.shape[1] // BLOCK
    if num_blocks < 2 * k or scores_UV.numel() < MANY_SCORES:
        return _stable_topk_of_few(scores_UV, k)
    blocks_UNB = scores_UV[:, : num_blocks * BLOCK].unflatten(1, (num_blocks, BLOCK))
    # in the order of their items, so that the smaller index still stands first
    blocks_UK = _stable_topk_of_few(blocks_UNB.amax(dim=2), k).indices_UK.sort(dim=1).values
    items_UKB = blocks_UK[:, :, None] * BLOCK + torch.arange(BLOCK, device=scores_UV.device)
    rest_V = torch.arange(num_blocks * BLOCK, scores_UV.shape[1], device=scores_UV.device)
    items_UV = torch.cat([items_UKB.flatten(1), rest_V.expand(len(scores_UV), -1)], dim=1)
    best = _stable_topk_of_few(scores_UV.gather(1, items_UV), k)
    return TopK(items_UV.gather(1, best.indices_UK), best.scores_UK)


def _stable_topk_of_few(scores_UV: Tensor, k: int) -> TopK:
    scores_UK, indices_UK = scores_UV.topk(k, dim=1)
    tied_U = (scores_UV >= scores_UK[:, -1:]).sum(dim=1) > k
    tied_U |= (scores_UK[:, 1:] == scores_UK[:, :-1]).any(dim=1)
    if tied_U.any():
        indices_UK[tied_U] = _first_of_equals(scores_UV[tied_U], scores_UK[tied_U, -1:], k)
        scores_UK[tied_U] = scores_UV[tied_U].gather(1, indices_UK[tied_U])
    return TopK(indices_UK, scores_UK)


def _first_of_equals(scores_UV: Tensor, least_U1: Tensor, k: int) -> Tensor:
    """[U, k] where each user's k best are, in order; of those that equal the k-th best, the first ones."""
    better_UV = ~(scores_UV <= least_U1)  # NaN is, as torch.topk has it
    equal_UV = scores_UV == least_U1
    room_U1 = k - better_UV.sum(dim=1, keepdim=True)
    chosen_UV = better_UV | (equal_UV & (equal_UV.cumsum(dim=1, dtype=torch.int32) <= room_U1))
    indices_UK = chosen_UV.nonzero()[:, 1].view(-1, k)
    order_UK = scores_UV.gather(1, indices_UK).argsort(dim=1, descending=True, stable=True)
    return indices_UK.gather(1, order_UK)
