"""How well clicks are predicted: AUC, GAUC, log loss and calibration, with intervals of a bootstrap over users.

Users are drawn whole, since a user's examples go together; two systems on the same draws make a paired difference.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recsys.evaluation.click_metrics import (
    Ordered,
    calibration_bins,
    calibration_error,
    log_losses,
    user_aucs,
)
from recsys.evaluation.outcome import Estimate
from recsys.evaluation.significance import interval

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
CALIBRATION = 3
CLICK_METRICS = ("AUC", "GAUC", "log loss", "calibration error")


def _estimate(value: float, replicates: Float64) -> Estimate:
    low, high = interval(replicates)
    return Estimate(value=value, low=float(low), high=float(high))


@dataclass(frozen=True)
class Predictions:
    """[E] logits of clicks, whether they were clicked, and whose they are."""

    logits: Float64
    labels: Float64
    users: Int64

    def estimates(self, *, resamples: int, seed: int) -> dict[str, Estimate]:
        """Without a metric that cannot be had: AUC where all labels are one, GAUC where those of each user are."""
        if not len(self.labels):
            return {}
        replicates = self.replicates(resamples=resamples, seed=seed)
        values = self.metrics(np.ones(self.num_users))
        # users drawn anew make bins uneven, so that resampled calibration errors are larger than the one that was found
        replicates[:, CALIBRATION] += values[CALIBRATION] - replicates[:, CALIBRATION].mean()
        return {
            name: _estimate(value, column[np.isfinite(column)])
            for name, value, column in zip(CLICK_METRICS, values.tolist(), replicates.T, strict=True)
            if np.isfinite(value)
        }

    def replicates(self, *, resamples: int, seed: int) -> Float64:
        """[resamples, 4] CLICK_METRICS, with users drawn anew each time; the same seed draws the same users."""
        return np.array([self.metrics(times) for times in self._draws(resamples, seed)])

    def _draws(self, resamples: int, seed: int) -> Iterator[Float64]:
        """How often each user is drawn; of those that have examples."""
        random, have = np.random.default_rng(seed), np.unique(self.users)
        for _ in range(resamples):
            times = np.zeros(self.num_users)
            times[have] = np.bincount(random.integers(0, len(have), len(have)), minlength=len(have))
            yield times

    @property
    def num_users(self) -> int:
        return int(self.users.max()) + 1

    def metrics(self, times: Float64) -> Float64:
        """[4] CLICK_METRICS, each user counting so often."""
        weights = times[self.users]
        aucs, sizes = self._user_aucs
        share = sizes * times
        probability_gaps, bins = self._calibration
        return np.array(
            [
                self._ordered.auc(self.labels, weights),
                (share * aucs).sum() / share.sum() if share.any() else np.nan,
                (weights * self._log_losses).sum() / weights.sum(),
                calibration_error(probability_gaps, bins, weights),
            ]
        )

    @cached_property
    def _ordered(self) -> Ordered:
        return Ordered.of(self.logits)

    @cached_property
    def _user_aucs(self) -> tuple[Float64, Float64]:
        return user_aucs(self.logits, self.labels, self.users)

    @cached_property
    def _log_losses(self) -> Float64:
        return log_losses(self.logits, self.labels)

    @cached_property
    def _calibration(self) -> tuple[Float64, Int64]:
        return 1.0 / (1.0 + np.exp(-self.logits)) - self.labels, calibration_bins(self.logits)
