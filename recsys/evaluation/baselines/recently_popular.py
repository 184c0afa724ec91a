"""What was clicked most of late, as far as could be known when the user was asked. Needs a calendar.

training clicks, in the order of time     . .. . ...|.. .  .|. ..
                                                    (window ]
                                                            moment of the user
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys.data.dataset import Dataset
from recsys.data.events.times import A_DAY
from recsys.evaluation.config import K
from recsys.evaluation.metrics import ndcg
from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import tiles
from recsys.topk import target_ranks

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]
Float32 = NDArray[np.float32]
Days = int | None
"""The length of a window; None reaches back to the first click."""

WINDOWS: tuple[Days, ...] = (None, 365, 90, 30, 7, 3, 1)
"""Those that are tried; of equally good ones the first is taken."""
UNCHOSEN = 7
MAX_USERS = 2000
"""Validation users that a window is chosen by."""


def why_not(dataset: Dataset) -> str | None:
    """The reason why a dataset has no recently popular items, if it has none."""
    return None if dataset.manifest.time_kind == "calendar" else "without a calendar"


class RecentlyPopular:
    """Scores an item by its training clicks in a window before the user's moment, chosen on validation."""

    def __init__(self, questions: Questions) -> None:
        assert why_not(questions.dataset) is None, why_not(questions.dataset)
        clicks = ClicksByTime.of(questions.dataset)
        days, how = _choose(questions, clicks)
        self.within = PopularWithin(questions, clicks, days)
        self.detail = f"{_told(days)}, {how}"

    def __call__(self, rows: slice) -> Tensor:
        return self.within(rows)


class PopularWithin:
    """Scores an item by its clicks in (moment - days, moment]; equals are told apart by all clicks until the moment."""

    def __init__(self, questions: Questions, clicks: "ClicksByTime", days: Days) -> None:
        self.clicks = clicks
        self.days = days
        self.moments = _moments(questions, last=int(clicks.times[-1]))

    def __call__(self, rows: slice) -> Tensor:
        moments, which = np.unique(self.moments[rows], return_inverse=True)
        return torch.from_numpy(np.stack([self._scores(int(moment)) for moment in moments])[which])

    def _scores(self, moment: int) -> Float32:
        """[items + 1] The part that tells equals apart is below 1."""
        until = self.clicks.counts_until(moment)
        before = 0 if self.days is None else self.clicks.counts_until(moment - self.days * A_DAY)
        return (until - before + until / (until.max() + 1)).astype(np.float32)


@dataclass(frozen=True)
class ClicksByTime:
    """Training clicks, rising in time, and how often each item was clicked before every `step`-th of them."""

    times: Int64
    items: Int32
    counts: Int32
    """[clicks / step + 1, items + 1]: not more than a number a click, since a step is no shorter than a row."""
    step: int

    @classmethod
    def of(cls, dataset: Dataset) -> "ClicksByTime":
        trains = dataset.split.in_training(dataset.histories)
        times, items = np.asarray(dataset.histories.times)[trains], np.asarray(dataset.histories.items)[trains]
        order = np.argsort(times, kind="stable")
        times, items, step = times[order], items[order], len(dataset.items) + 1
        counts = np.zeros((len(items) // step + 1, step), dtype=np.int32)
        for row in range(1, len(counts)):
            counts[row] = counts[row - 1] + np.bincount(items[(row - 1) * step : row * step], minlength=step)
        return cls(times, items, counts, step)

    def counts_until(self, moment: int) -> Int64:
        """[items + 1] clicks that are not later than the moment."""
        stop = int(np.searchsorted(self.times, moment, side="right"))
        row = stop // self.step
        return self.counts[row] + np.bincount(self.items[row * self.step : stop], minlength=self.counts.shape[1])


def _moments(questions: Questions, *, last: int) -> Int64:
    """[N] the latest moment known not to lie after the predicted click, but not after the last training click.

    By time, all of training lies before it. Else only the user's own clicks before it are known to.
    """
    if questions.dataset.manifest.split == "by_time":
        return np.full(len(questions), last)
    return np.minimum(np.asarray(questions.dataset.histories.times)[questions.held_out.positions - 1], last)


def _choose(questions: Questions, clicks: ClicksByTime) -> tuple[Days, str]:
    """The window of the best NDCG on validation, under the questions' own filter."""
    asked = Questions.of_validation(questions.dataset, exclude_seen=questions.filters_seen, max_users=MAX_USERS)
    if not len(asked):
        return UNCHOSEN, "not chosen: nobody validates"
    best = int(np.argmax([_mean_ndcg(asked, PopularWithin(asked, clicks, days)) for days in WINDOWS]))
    return WINDOWS[best], "chosen on validation"


def _mean_ndcg(asked: Questions, scorer: PopularWithin) -> float:
    """Of ranks alone: making lists would take longer than all the rest."""
    candidates = torch.from_numpy(np.array(asked.dataset.candidates))
    ranks = [
        target_ranks(
            scorer(rows),
            torch.from_numpy(asked.targets[rows]),
            candidates_V=candidates,
            exclusions=asked.exclusions(rows),
        )
        for rows in tiles(len(asked), len(candidates))
    ]
    return float(ndcg(torch.cat(ranks).numpy(), K).mean())


def _told(days: Days) -> str:
    if days is None:
        return "all earlier clicks"
    return "clicks of the last day" if days == 1 else f"clicks of the last {days} days"
