"""Metrics of predicted clicks: pure functions of logits and labels, one of each for an example.

Shape letters: E examples, U users.
"""

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
NUM_BINS = 20


def auc(logits: Float64, labels: Float64, weights: Float64 | None = None) -> float:
    """The chance that a clicked example has the higher logit of the two, ties counting half; NaN without both kinds.

    `weights` say how often each example counts.
    """
    return Ordered.of(logits).auc(labels, np.ones(len(labels)) if weights is None else weights)


class Ordered:
    """Logits in rising order, sorted once for any number of weightings."""

    def __init__(self, order: Int64, group: Int64, num_groups: int) -> None:
        self.order, self.group, self.num_groups = order, group, num_groups

    @classmethod
    def of(cls, logits: Float64) -> "Ordered":
        order = np.argsort(logits, kind="stable")
        rises = np.append(False, np.diff(logits[order]) > 0)
        group = np.cumsum(rises)
        return cls(order, group, int(group[-1]) + 1 if len(group) else 0)

    def auc(self, labels: Float64, weights: Float64) -> float:
        clicked, passed = (weights * labels)[self.order], (weights * (1.0 - labels))[self.order]
        clicks, passes = (np.bincount(self.group, part, self.num_groups) for part in (clicked, passed))
        below = np.cumsum(passes) - passes / 2  # of each group: what ranks lower, and half of what ties
        pairs = clicks.sum() * passes.sum()
        return float((clicks * below).sum() / pairs) if pairs else float("nan")


def user_aucs(logits: Float64, labels: Float64, users: Int64) -> tuple[Float64, Float64]:
    """[U] AUC of each user from 0 to the largest, and how many examples it has: 0 where it has one kind alone.

    GAUC is the mean weighted by that number (Zhou et al. 2018, https://arxiv.org/abs/1706.06978).
    """
    order = np.lexsort((logits, users))
    user, label, logit = users[order], labels[order], logits[order]
    opens = np.append(True, (np.diff(user) > 0) | (np.diff(logit) > 0))
    group = np.cumsum(opens) - 1
    clicks, passes = (np.bincount(group, part) for part in (label, 1.0 - label))
    owner = user[opens]
    num_users = int(users.max(initial=-1)) + 1
    first = np.searchsorted(owner, np.arange(num_users))
    total = np.cumsum(passes) - passes / 2
    before = np.concatenate([np.zeros(1), np.cumsum(passes)])[first]
    won = np.bincount(owner, clicks * (total - before[owner]), num_users)
    clicked, passed = (np.bincount(owner, part, num_users) for part in (clicks, passes))
    pairs = clicked * passed
    aucs = np.divide(won, pairs, out=np.zeros(num_users), where=pairs > 0)
    return aucs, np.where(pairs > 0, clicked + passed, 0.0)


def gauc(logits: Float64, labels: Float64, users: Int64) -> float:
    """Mean of the users' AUCs, weighted by their examples; NaN where no user has both kinds."""
    aucs, sizes = user_aucs(logits, labels, users)
    return float((aucs * sizes).sum() / sizes.sum()) if sizes.any() else float("nan")


def log_losses(logits: Float64, labels: Float64) -> Float64:
    """[E] in nats."""
    return np.logaddexp(0.0, logits) - labels * logits


def calibration_bins(logits: Float64) -> Int64:
    """[E] in which of NUM_BINS bins of as many examples each lies, by its logit; what ties lies together."""
    edges = np.quantile(logits, np.linspace(0, 1, NUM_BINS + 1)[1:-1])
    return np.searchsorted(edges, logits, side="right")


def calibration_error(gaps: Float64, bins: Int64, weights: Float64) -> float:
    """Mean over examples of how far their bin's mean probability lies from the share of clicks in it.

    `gaps` are probability - label of each.
    """
    total = np.bincount(bins, weights * gaps, NUM_BINS)
    return float(np.abs(total).sum() / weights.sum())
