"""What an evaluation found and under which protocol: evaluation.json.

Systems are named by their key in TITLES, whose order is that of the tables.
"""

from pathlib import Path
from typing import Literal

from recsys.data.dataset import SplitKind
from recsys.evaluation.audit.findings import AuditReport
from recsys.section import Section

NAME = "evaluation"
LISTS, TRUTH, RANKS = "lists.parquet", "truth.parquet", "ranks.parquet"
CLICKS, PREDICTIONS = "clicks.json", "predictions.parquet"
"""What a ranker's stage leaves beside its model."""
REPORT = "report.html"
SIGNIFICANT = 0.05
"""An adjusted p value below it is called a difference."""
RETRIEVER, APPROXIMATE, REFIT, RERANKED = "retriever", "approximate", "refit", "reranked"
TITLES = {
    RETRIEVER: "retriever",
    APPROXIMATE: "by the index",
    REFIT: "retriever, refit",
    RERANKED: "both stages",
    "covisitation": "Co-visitation",
    "item_knn": "Item-kNN",
    "recently_popular": "Recently popular",
    "popular": "Popular",
}
"""What each system is called in tables."""


class IndexCost(Section):
    """What share of the exact lists' first 10, and 100, items the index finds."""

    recall_10: float
    recall_100: float


class Protocol(Section):
    """A number without this is noise."""

    split: SplitKind
    item_universe: str
    num_candidates: int
    ranking: Literal["full"] = "full"
    filter: str
    """What is taken out of each user's ranking."""
    max_length: int
    """L: how many clicks of a history the retriever reads."""
    gaps_floored_to_seconds: float | None
    """The retriever reads the time between these clicks, so coarsely; None where it reads their order alone."""
    calendar_stretches: int = 0
    """The retriever reads in which of so many equal stretches of the training log each fell; 0: it does not."""
    users: int
    """All of them count, those whose target cannot be returned as misses."""
    users_without_history: int
    """They have no readable click, and get the popular items."""
    targets_never_trained: int
    """Targets that nobody clicked in training, be they candidates or not."""
    targets_not_candidates: int
    """Misses for every system."""
    targets_clicked_before: int
    """Repeats: misses for every system if the filter takes them out."""
    ties: Literal["the target last"] = "the target last"
    uses_time_of_predicted_click: bool = False
    """The retriever knows when the predicted click happens (`model.query_time`). No baseline does."""
    both_stages_use_it: bool = False
    """Both stages know it: by the ranker's positions in time, or by the context of the click."""
    trains_on_validation_clicks: Literal[False] = False
    validation_clicks_in_test_history: Literal[True] = True
    resamples: int
    """Of the users, with replacement, behind each 95 % interval and each p value."""

    @property
    def told_time(self) -> str:
        if self.uses_time_of_predicted_click:
            return "used by the retriever (query time)"
        return "used by both stages, and by no other system (query time)" if self.both_stages_use_it else "not used"


class Estimate(Section):
    """A mean over users, and the 95 % interval of its bootstrap."""

    value: float
    low: float
    high: float


class Exposure(Section):
    """What the first 10 of all lists show of the catalogue. Means are over recommended items, empty places left out."""

    coverage: float
    """Share of the candidates that stand in anyone's list."""
    gini: float
    """Of how often each candidate is shown: 0 all alike, towards 1 for a few items only."""
    popularity: float
    """Mean number of training clicks on a recommended item."""
    novelty: float
    """Mean of -log2 of the item's share of training clicks, one click added to every item, in bits."""
    diversity: float | None
    """Mean over lists of 1 - the mean Jaccard overlap of two items' features; None where items have none."""


class SystemResult(Section):
    detail: str
    """How it was made, such as "clicks of the last 7 days, chosen on validation"."""
    metrics: dict[str, Estimate]
    """HR, NDCG, MRR and MAP at several k, as "HR@10". With one target a user, MAP is MRR."""
    if_ties_favour: dict[str, float]
    """NDCG@10 and HR@10 if ties of score ranked the target first."""
    exposure: Exposure


class Comparison(Section):
    """Of two systems on the same users: the first one's mean less the second one's."""

    systems: tuple[str, str]
    metric: str
    difference: Estimate
    p: float
    """Two-sided, by the paired bootstrap."""
    p_adjusted: float
    """By Holm's method, over all comparisons of the evaluation."""

    @property
    def is_significant(self) -> bool:
        return self.p_adjusted < SIGNIFICANT

    @property
    def first_is_better(self) -> bool:
        return self.difference.value > 0

    @property
    def told(self) -> str:
        """Such as "NDCG@10 +0.0123 [+0.0087, +0.0160]"."""
        return f"{self.metric} {self.difference.value:+.4f} [{self.difference.low:+.4f}, {self.difference.high:+.4f}]"


class Segment(Section):
    """Some of the test users; no metrics where they are too few for an interval."""

    name: str
    users: int
    metrics: dict[str, dict[str, Estimate]]
    """System -> "HR@10", "NDCG@10"."""


class Segmentation(Section):
    """One way to part the test users."""

    name: str
    segments: tuple[Segment, ...]


class Evaluation(Section):
    format_version: Literal[3] = 3
    protocol: Protocol
    systems: dict[str, SystemResult]
    missing: dict[str, str]
    """Systems that cannot be had here, and why."""
    comparisons: tuple[Comparison, ...]
    segmentations: tuple[Segmentation, ...]
    target_popularity: float
    """Mean number of training clicks on a target: what a recommended item's is to be held against."""
    index_cost: IndexCost | None = None
    """Where there is an index to recommend through."""
    calibration_error: float | None = None
    """Of the retriever's probabilities, expected; None where no list could be made of them."""
    audit: AuditReport

    def comparison(self, one: str, other: str, metric: str) -> Comparison | None:
        """Of two systems, whichever comes first."""
        pairs = (found for found in self.comparisons if found.metric == metric and set(found.systems) == {one, other})
        return next(pairs, None)

    @property
    def retriever(self) -> SystemResult:
        return self.systems[RETRIEVER]


def read_evaluation(directory: Path) -> Evaluation:
    """What `evaluate` wrote into a run's directory."""
    return Evaluation.read(directory / f"{NAME}.json", remedy="run `recsys evaluate` again")
