"""What negatives are drawn from. Every source makes a fixed number of draws, so what is expected of it is exact.

Nothing here waits for a device. Shape letters: N positions, V items (row 0 is padding), S draws, C items of a source.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from recsys.errors import ConfigError


class Source(nn.Module, ABC):
    """One of the distributions that negatives are drawn from, and a number of draws."""

    expected_V: Tensor

    def __init__(self, shares_V: Tensor, num_draws: int) -> None:
        super().__init__()
        self.num_draws = num_draws
        self.register_buffer("expected_V", num_draws * shares_V, persistent=False)

    @abstractmethod
    def draw(self, targets_N: Tensor) -> Tensor:
        """Items, given the batch's targets."""

    def expected(self, items_S: Tensor, num_targets: int) -> Tensor:
        """How often each item is expected among this source's draws, in the eyes of any one position."""
        return self.expected_V[items_S]


class UniformSource(Source):
    """All candidates alike."""

    items_C: Tensor

    def __init__(self, candidates_V: Tensor, num_draws: int) -> None:
        super().__init__(shares_of(candidates_V), num_draws)
        self.register_buffer("items_C", candidates_V.nonzero().flatten(), persistent=False)

    def draw(self, targets_N: Tensor) -> Tensor:
        return _pick(self.num_draws, self.items_C)


class PopularitySource(Source):
    """Each item as often as it was clicked in training; one that never was is never drawn."""

    items_C: Tensor
    cumulative_C: Tensor

    def __init__(self, counts_V: Tensor, num_draws: int) -> None:
        super().__init__(shares_of(counts_V), num_draws)
        items_C = counts_V.nonzero().flatten()
        cumulative_C = counts_V[items_C].cumsum(0).double() / counts_V.sum()
        self.register_buffer("items_C", items_C, persistent=False)
        self.register_buffer("cumulative_C", cumulative_C, persistent=False)

    def draw(self, targets_N: Tensor) -> Tensor:
        quantile_S = _quantiles(self.num_draws, self.cumulative_C.device)
        place_S = torch.searchsorted(self.cumulative_C, quantile_S, right=True)
        return self.items_C[place_S.clamp_(max=len(self.items_C) - 1)]


class InBatchSource(Source):
    """The batch's own targets; with several processes, those of its own share of the batch.

    Over batches these are clicks of training, so of n draws among N targets an item expects n (N - 1) / N times its
    share of those clicks (Yi et al. 2019, https://doi.org/10.1145/3298689.3346996): one target in N is the position's
    own, which is no draw. That makes the normaliser unbiased over batches of independent clicks, for the sum over
    all items clicked in training. Given one batch it is not, nor should it be: with the batch's own frequencies
    in their place it would be the normaliser of a softmax over that batch's few items, popular ones first. A batch
    holds whole windows of some users, however, so a user's other clicks come more often than expected.
    """

    def __init__(self, counts_V: Tensor, num_draws: int) -> None:
        super().__init__(shares_of(counts_V), num_draws)

    def draw(self, targets_N: Tensor) -> Tensor:
        """None where the batch has no targets."""
        return _pick(self.num_draws, targets_N) if len(targets_N) else targets_N

    def expected(self, items_S: Tensor, num_targets: int) -> Tensor:
        # of a single target every draw is a hit, and counts nowhere
        return self.expected_V[items_S] * (max(1, num_targets - 1) / max(1, num_targets))


def shares_of(weights_V: Tensor) -> Tensor:
    """Each item's share of the weights, fp32."""
    total = weights_V.sum()
    if total == 0:
        raise ConfigError(
            "no candidate was clicked in training, so negatives can be drawn by popularity or from the batch of none; "
            "use training.objective.negatives={uniform: 1}"
        )
    return (weights_V.double() / total).float()


def _quantiles(num_draws: int, device: torch.device) -> Tensor:
    """One number from each of `num_draws` equal parts of [0, 1): the expectations of independent draws, less noise."""
    jitter_S = torch.rand(num_draws, dtype=torch.float64, device=device)
    return (torch.arange(num_draws, device=device) + jitter_S) / num_draws


def _pick(num_draws: int, items_C: Tensor) -> Tensor:
    """Draws from the items, all places alike: each exactly once where there are as many draws as places."""
    place_S = (_quantiles(num_draws, items_C.device) * len(items_C)).long()
    return items_C[place_S.clamp_(max=len(items_C) - 1)]
