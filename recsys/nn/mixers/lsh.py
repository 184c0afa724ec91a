"""Reformer's attention (Kitaev et al. 2020, https://arxiv.org/abs/2001.04451): who hashes alike reads one another.

R rounds of hashing, J random directions of one, C chunks of a row in which W positions stand, S that they may read.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.attention import merge_heads, split_heads
from recsys.nn.mixers.mixer import PaddedMixer
from recsys.nn.mixers.mixer_config import HeadsSection
from recsys.nn.shape import SequenceShape

# The score of a position with itself, low enough to count only where there is no other; half precision can hold it.
SELF = -5e4


class OneBucket(nn.Module):
    """All hash alike, so one round is enough."""

    num_buckets = 1

    def forward(self, q_BHLK: Tensor) -> Tensor:
        return torch.zeros(1, *q_BHLK.shape[:-1], dtype=torch.int64, device=q_BHLK.device)


class RandomRotations(nn.Module):
    """argmax [qR; -qR]: to which of J random directions, or of their opposites, a query points most.

    Buckets grow with the longest row, so this is O(R L J), J = L / chunk: less than the attention itself up to some
    20,000 positions.
    """

    directions_RKJ: Tensor

    def __init__(self, width: int, num_directions: int, *, rounds: int, seed: int) -> None:
        super().__init__()
        self.num_buckets = 2 * num_directions
        generator = torch.Generator().manual_seed(seed)
        self.register_buffer("directions_RKJ", torch.randn(rounds, width, num_directions, generator=generator))

    @torch.no_grad()
    def forward(self, q_BHLK: Tensor) -> Tensor:
        """[R, B, H, L]"""
        turned_RBHLJ = torch.einsum("bhlk,rkj->rbhlj", q_BHLK, self.directions_RKJ)
        return torch.cat([turned_RBHLJ, -turned_RBHLJ], dim=-1).argmax(dim=-1)


@dataclass(frozen=True)
class Sorting:
    """Positions by bucket, and in a bucket by time: which one stands at each place, and at which place each stands.

    `spread_RBHL` are the places with a gap of more than `reach` between buckets, so that two positions are of one
    bucket and at most `reach` apart in it exactly where these differ by no more than that.
    """

    order_RBHL: Tensor
    places_RBHL: Tensor
    spread_RBHL: Tensor

    @classmethod
    def of(cls, buckets_RBHL: Tensor, *, reach: int) -> "Sorting":
        length = buckets_RBHL.shape[-1]
        order_RBHL = (buckets_RBHL * length + torch.arange(length, device=buckets_RBHL.device)).argsort(dim=-1)
        places_RBHL = order_RBHL.argsort(dim=-1)
        return cls(order_RBHL, places_RBHL, places_RBHL + buckets_RBHL * (length + reach))


class LshAttention(PaddedMixer):
    """Queries are their own keys, normalised. A position reads the `chunk` others before it that are nearest in its
    bucket (as many behind it, too, without causality), and itself only where there is none.

    The sorted row is cut into chunks, each of which meets the one before it: O(R L chunk), no [L, L]. In the paper a
    position reads all that its two chunks hold of its bucket. But the cuts move with every later click that hashes to
    an earlier bucket, so what was read before would tell of the future. The nearest of a bucket are the same wherever
    the cuts are. Padding has a bucket of its own, the last.

    Rounds are merged by their logsumexp. A pair that meets in m of them has exp(score) / m in each, as in the paper:
    together they are one softmax over all that meet in any round.
    """

    def __init__(self, dim: int, num_heads: int, hashing: OneBucket | RandomRotations, chunk: int) -> None:
        super().__init__()
        self.num_heads, self.hashing, self.chunk = num_heads, hashing, chunk
        self.to_qk = nn.Linear(dim, dim, bias=False)
        self.to_v = nn.Linear(dim, dim, bias=False)
        self.to_out = nn.Linear(dim, dim, bias=False)

    def mixed(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        length = x_BLD.shape[1]
        width = min(self.chunk, length)
        x_BLD = F.pad(x_BLD, (0, 0, 0, -length % width))
        q_BHLK, v_BHLK = (split_heads(part, self.num_heads) for part in (self.to_qk(x_BLD), self.to_v(x_BLD)))
        padding_B1L = ~context.valid_BL(x_BLD.shape[1])[:, None]
        buckets_RBHL = self.hashing(q_BHLK).masked_fill(padding_B1L, self.hashing.num_buckets)
        sorting = Sorting.of(buckets_RBHL, reach=self.chunk)
        rounds = [
            self._round(q_BHLK, v_BHLK, sorting, number, width=width, causal=context.causal)
            for number in range(len(buckets_RBHL))
        ]
        mixed_RBHLK, total_RBHL1 = (torch.stack(parts) for parts in zip(*rounds, strict=True))
        mixed_BHLK = (total_RBHL1.softmax(dim=0) * mixed_RBHLK).sum(dim=0)
        return self.to_out(merge_heads(mixed_BHLK))[:, :length]

    def _round(
        self, q_BHLK: Tensor, v_BHLK: Tensor, sorting: Sorting, number: int, *, width: int, causal: bool
    ) -> tuple[Tensor, Tensor]:
        """What each position reads in one round, [B, H, L, K], and the logsumexp of its scores, [B, H, L, 1]."""
        order_BHL, places_BHL = sorting.order_RBHL[number], sorting.places_RBHL[number]
        q, v = (_taken(part, order_BHL).unflatten(2, (-1, width)) for part in (q_BHLK, v_BHLK))
        k, v = (_with_neighbours(part, causal=causal) for part in (F.normalize(q, dim=-1), v))
        spread_RBHL1 = sorting.spread_RBHL.gather(-1, order_BHL.expand_as(sorting.spread_RBHL))[..., None]
        meet = [self._meet(spread.unflatten(2, (-1, width)), causal=causal) for spread in spread_RBHL1]
        own_WS = F.pad(torch.eye(width, dtype=torch.bool, device=q.device), (width, 0 if causal else width))
        scores = q @ k.mT * q.shape[-1] ** -0.5 - torch.stack(meet).sum(dim=0, dtype=q.dtype).log()
        scores = scores.masked_fill(~meet[number], float("-inf")).masked_fill(own_WS, SELF)
        total_BHCW1 = scores.logsumexp(dim=-1, keepdim=True)
        mixed_BHCWK = (scores - total_BHCW1).exp() @ v
        return _taken(mixed_BHCWK.flatten(2, 3), places_BHL), _taken(total_BHCW1.flatten(2, 3), places_BHL)

    def _meet(self, spread_BHCW1: Tensor, *, causal: bool) -> Tensor:
        """[B, H, C, W, S]: whether each position of a chunk and what stands near it are near each other in a round."""
        distances = spread_BHCW1 - _with_neighbours(spread_BHCW1, causal=causal, outside=-1 - self.chunk).mT
        return (distances >= (0 if causal else -self.chunk)) & (distances <= self.chunk)


def _taken(x_BHLK: Tensor, from_BHL: Tensor) -> Tensor:
    return x_BHLK.gather(2, from_BHL[..., None].expand(-1, -1, -1, x_BHLK.shape[-1]))


def _with_neighbours(x_CWK: Tensor, *, causal: bool, outside: int = 0) -> Tensor:
    """[..., C, W, K] -> [..., C, S, K]: each chunk behind the one before it, and before the next if not causal."""
    parts = [F.pad(x_CWK[..., :-1, :, :], (0, 0, 0, 0, 1, 0), value=outside), x_CWK]
    if not causal:
        parts.append(F.pad(x_CWK[..., 1:, :, :], (0, 0, 0, 0, 0, 1), value=outside))
    return torch.cat(parts, dim=-2)


class LshConfig(HeadsSection):
    """Pays for rows of thousands of positions. A model of at most `chunk` clicks has one bucket, and one round is
    enough; in one of more, short rows are hashed as well."""

    flop_order: ClassVar[float] = 1.0
    memory_order: ClassVar[float] = 1.0
    kind: Literal["lsh"] = "lsh"
    chunk: PositiveInt = 64
    """How many others of its bucket a position reads in a round; buckets hold half as many in the mean."""
    rounds: PositiveInt = 4
    """How often positions are hashed anew, so that those which are alike meet. Time grows with it."""
    seed: NonNegativeInt = 0
    """Of the random directions, which stay as they are."""

    def build(self, shape: SequenceShape) -> LshAttention:
        return LshAttention(shape.dim, self.num_heads, self._build_hashing(shape), self.chunk)

    def _build_hashing(self, shape: SequenceShape) -> OneBucket | RandomRotations:
        if self.chunk >= shape.max_length:
            return OneBucket()
        num_directions = shape.max_length // self.chunk
        return RandomRotations(shape.dim // self.num_heads, num_directions, rounds=self.rounds, seed=self.seed)
