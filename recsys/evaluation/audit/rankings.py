"""Whether lists hold only what they may, and how much of each figure hangs on ties."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recsys.evaluation.audit.clicks import Bools, Int64, stretches
from recsys.evaluation.audit.findings import FAULT, Finding
from recsys.evaluation.audit.times import tied_targets
from recsys.evaluation.config import K
from recsys.evaluation.metrics import hit_rate, ndcg
from recsys.evaluation.outcome import TITLES
from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import Ranking

MUCH = 0.001
"""From this difference on a tie is worth a note."""
ROWS = 4096

LISTS = "lists hold candidates that the filter lets through, each once, by falling score"
SAME_METRIC = "the lists have the target where its rank says"
SCORES = "figures do not depend on which of equal scores comes first"
TIMES = "figures do not depend on which of two clicks at the same time is the target"


def audit_rankings(questions: Questions, rankings: Mapping[str, Ranking]) -> tuple[Finding, ...]:
    """Four findings, each about every system."""
    rankings = {TITLES.get(name, name): ranking for name, ranking in rankings.items()}
    lists = {name: Lists(questions, ranking) for name, ranking in rankings.items()}
    return (
        _check_lists(lists),
        _check_same_metric(lists),
        _check_score_ties(rankings),
        _check_time_ties(questions, rankings),
    )


@dataclass(frozen=True)
class Lists:
    """What is wrong with one system's lists."""

    questions: Questions
    ranking: Ranking

    @cached_property
    def wrong(self) -> dict[str, int]:
        items, scores, given = self.ranking.items, self.ranking.scores, self.ranking.items > 0
        ordered = np.sort(items, axis=1)
        return {
            "are no candidates": int((given & ~np.asarray(self.questions.dataset.candidates)[items]).sum()),
            "were seen, which the filter forbids": self._num_seen if self.questions.filters_seen else 0,
            "are listed twice": int(((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] > 0)).sum()),
            "have a higher score than the one before": int((scores[:, 1:] > scores[:, :-1]).sum()),
            "come after an empty place": int((given[:, 1:] & ~given[:, :-1]).sum()),
        }

    @cached_property
    def num_elsewhere(self) -> int:
        """Users whose target is not where its rank says."""
        is_target = self.ranking.items == self.questions.targets[:, None]
        length = self.ranking.items.shape[1]
        expected = self.ranking.ranks[:, None] == np.arange(1, length + 1)
        strange = (self.ranking.ranks < 1) | (self.ranking.ranks_if_first > self.ranking.ranks)
        return int(((is_target != expected).any(axis=1) | strange).sum())

    @property
    def _num_seen(self) -> int:
        return sum(self._num_seen_of(start, start + ROWS) for start in range(0, len(self.questions), ROWS))

    def _num_seen_of(self, start: int, stop: int) -> int:
        dataset, held_out = self.questions.dataset, self.questions.held_out
        begins = np.asarray(dataset.histories.offsets)[held_out.users[start:stop]]
        place, row = stretches(begins, held_out.positions[start:stop])
        num_rows = len(dataset.items) + 1
        seen = row * num_rows + np.asarray(dataset.histories.items)[place]
        listed = self.ranking.items[start:stop].astype(np.int64)
        keys = np.arange(len(listed))[:, None] * num_rows + listed
        return int(np.isin(keys[listed > 0], seen).sum())


def _check_lists(lists: Mapping[str, Lists]) -> Finding:
    wrong = [f"{n:,} of {name} {what}" for name, one in lists.items() for what, n in one.wrong.items() if n]
    total = sum(int(np.count_nonzero(one.ranking.items)) for one in lists.values())
    return Finding(
        check=LISTS,
        verdict="leak" if wrong else "passed",
        found=f"of {total:,} listed items of {len(lists)} systems, {', '.join(wrong) or 'all are as they should be'}",
        remedy=FAULT if wrong else "",
        numbers={name: sum(one.wrong.values()) for name, one in lists.items()},
    )


def _check_same_metric(lists: Mapping[str, Lists]) -> Finding:
    wrong = [f"{one.num_elsewhere:,} of {name}" for name, one in lists.items() if one.num_elsewhere]
    where = f"users whose target stands elsewhere: {', '.join(wrong)}"
    return Finding(
        check=SAME_METRIC,
        verdict="leak" if wrong else "passed",
        found=where if wrong else "so HR, NDCG and MRR of the lists are those of the ranks, for every system and user",
        remedy=FAULT if wrong else "",
        numbers={name: one.num_elsewhere for name, one in lists.items()},
    )


def _check_score_ties(rankings: Mapping[str, Ranking]) -> Finding:
    """Reported figures rank ties last."""
    told, numbers, is_much = [], dict[str, float](), False
    for name, ranking in rankings.items():
        tied = int((ranking.ranks != ranking.ranks_if_first).sum())
        last, first = (_metrics(ranks) for ranks in (ranking.ranks, ranking.ranks_if_first))
        numbers |= {f"{name} tied targets": float(tied)}
        numbers |= {f"{name} {metric}, ties last": value for metric, value in last.items()}
        numbers |= {f"{name} {metric}, ties first": value for metric, value in first.items()}
        is_much |= any(first[metric] - last[metric] > MUCH for metric in last)
        spans = (f"{metric} {last[metric]:.4f} to {first[metric]:.4f}" for metric in last)
        told.append(f"{name} {', '.join(spans)} ({tied:,} tied)")
    return Finding(
        check=SCORES,
        verdict="noted" if is_much else "passed",
        found=f"with ties ranking the target last, as reported, to first: {'; '.join(told)}",
        numbers=numbers,
    )


def _check_time_ties(questions: Questions, rankings: Mapping[str, Ranking]) -> Finding:
    """Bounds, if each target that is tied with the click before were missed, or came first. In words, of one system."""
    tied = tied_targets(questions, np.asarray(questions.dataset.histories.times))
    if not tied.any():
        return Finding(check=TIMES, verdict="passed", found="no target has the time of the click before it")
    told, numbers = [], dict[str, float]()
    for name, ranking in rankings.items():
        for metric, (whole, untied, low, high) in _bounds(ranking.ranks, tied):
            numbers |= {
                f"{name} {metric}, {which}": n
                for which, n in (("untied", untied), ("at least", low), ("at most", high))
            }
            told.append(
                f"{name} {metric} is {whole:.4f}, {untied:.4f} for the untied alone, "
                f"and lies between {low:.4f} and {high:.4f} whichever of equal times is asked for"
            )
    return Finding(
        check=TIMES,
        verdict="noted",
        found=f"{tied.mean():.1%} of the targets have the time of the click before them: {'; '.join(told[:2])}",
        numbers=numbers,
    )


def _metrics(ranks: Int64) -> dict[str, float]:
    return {f"HR@{K}": float(np.mean(hit_rate(ranks, K))), f"NDCG@{K}": float(np.mean(ndcg(ranks, K)))}


def _bounds(ranks: Int64, tied: Bools) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    """Of each metric the whole, the untied users', and the lowest and highest that the tied ones could make."""
    for name, metric in ((f"HR@{K}", hit_rate), (f"NDCG@{K}", ndcg)):
        values = metric(ranks, K)
        low = float(values[~tied].sum() / len(values))
        untied = float(values[~tied].mean()) if not tied.all() else 0.0
        yield name, (float(values.mean()), untied, low, low + float(tied.mean()))
