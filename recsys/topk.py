"""Exact top-k of users against items, in tiles, with exclusions. Knows vectors and row numbers, not items.

Row 0 of every item table is padding and is never returned. Ties go to the smaller index.
Shape letters: U users, V items (row 0 included), D width, E excluded pairs.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Int64 = NDArray[np.int64]

# Scores of one tile: 4 M floats are 16 MB.
TILE_SCORES = 1 << 22
UNRANKED = torch.iinfo(torch.int64).max


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

    def apply_(self, scores_UV: Tensor) -> None:
        """Sets what is excluded to -inf, in place."""
        counts_U = self.offsets_U.diff()
        users_E = torch.repeat_interleave(torch.arange(len(counts_U)), counts_U)
        scores_UV[users_E.to(scores_UV.device), self.items_E.to(scores_UV.device)] = float("-inf")


def mask_scores_(scores_UV: Tensor, *, candidates_V: Tensor | None, exclusions: Exclusions | None) -> Tensor:
    """Sets padding, non-candidates and exclusions to -inf, in place, and returns the same tensor."""
    scores_UV[:, 0] = float("-inf")
    if candidates_V is not None:
        scores_UV.masked_fill_(~candidates_V.to(scores_UV.device), float("-inf"))
    if exclusions is not None:
        exclusions.apply_(scores_UV)
    return scores_UV


def topk_of_scores(
    scores_UV: Tensor, *, k: int, candidates_V: Tensor | None = None, exclusions: Exclusions | None = None
) -> TopK:
    """The k best of ready-made scores, which are overwritten."""
    masked_UV = mask_scores_(scores_UV, candidates_V=candidates_V, exclusions=exclusions)
    num_ranked = min(k, masked_UV.shape[1])
    scores_UK, indices_UK = _stable_topk(masked_UV, num_ranked)
    indices_UK = indices_UK.masked_fill(scores_UK == float("-inf"), 0)
    missing = (0, k - num_ranked)
    return TopK(
        torch.nn.functional.pad(indices_UK, missing),
        torch.nn.functional.pad(scores_UK, missing, value=float("-inf")),
    )


def topk(
    users_UD: Tensor,
    items_VD: Tensor,
    *,
    k: int,
    candidates_V: Tensor | None = None,
    exclusions: Exclusions | None = None,
) -> TopK:
    """The k items of largest inner product with each user, tile by tile: never more than one tile of scores exists."""
    step = max(1, TILE_SCORES // len(items_VD))
    tiles = []
    for start in range(0, len(users_UD), step):
        stop = min(start + step, len(users_UD))
        excluded = None if exclusions is None else exclusions.rows(start, stop)
        scores_UV = users_UD[start:stop] @ items_VD.T
        tiles.append(topk_of_scores(scores_UV, k=k, candidates_V=candidates_V, exclusions=excluded))
    if not tiles:
        return TopK(torch.zeros(0, k, dtype=torch.int64), torch.zeros(0, k))
    return TopK(torch.cat([tile.indices_UK for tile in tiles]), torch.cat([tile.scores_UK for tile in tiles]))


def target_ranks(
    scores_UV: Tensor,
    targets_U: Tensor,
    *,
    candidates_V: Tensor | None = None,
    exclusions: Exclusions | None = None,
) -> Tensor:
    """[U] rank of each target from 1; ties rank the target last. The scores are overwritten.

    A target that is excluded, no candidate, or scored NaN is UNRANKED: no hit, however small the catalogue.
    """
    masked_UV = mask_scores_(scores_UV, candidates_V=candidates_V, exclusions=exclusions)
    own_U1 = masked_UV.gather(1, targets_U[:, None])
    ranks_U = (masked_UV >= own_U1).sum(dim=1)
    return ranks_U.masked_fill(~own_U1[:, 0].isfinite(), UNRANKED)


def _stable_topk(scores_UV: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """torch.topk leaves open which of equal scores it returns; here it is the smaller index."""
    scores_UK, indices_UK = scores_UV.topk(k, dim=1)
    tied_U = (scores_UV >= scores_UK[:, -1:]).sum(dim=1) > k
    tied_U |= (scores_UK[:, 1:] == scores_UK[:, :-1]).any(dim=1)
    if tied_U.any():
        indices_UK[tied_U] = _first_of_equals(scores_UV[tied_U], scores_UK[tied_U, -1:], k)
        scores_UK[tied_U] = scores_UV[tied_U].gather(1, indices_UK[tied_U])
    return scores_UK, indices_UK


def _first_of_equals(scores_UV: Tensor, least_U1: Tensor, k: int) -> Tensor:
    """[U, k] where each user's k best are, in order; of those that equal the k-th best, the first ones."""
    better_UV = ~(scores_UV <= least_U1)  # NaN is, as torch.topk has it
    equal_UV = scores_UV == least_U1
    room_U1 = k - better_UV.sum(dim=1, keepdim=True)
    chosen_UV = better_UV | (equal_UV & (equal_UV.cumsum(dim=1, dtype=torch.int32) <= room_U1))
    indices_UK = chosen_UV.nonzero()[:, 1].view(-1, k)
    order_UK = scores_UV.gather(1, indices_UK).argsort(dim=1, descending=True, stable=True)
    return indices_UK.gather(1, order_UK)
