"""An evaluation, made up: 5 systems, and figures as they might be of MovieLens."""

from itertools import combinations

from recsys.evaluation.audit.findings import AuditReport, Finding, Verdict
from recsys.evaluation.outcome import (
    Comparison,
    Estimate,
    Evaluation,
    Exposure,
    Protocol,
    Segment,
    Segmentation,
    SystemResult,
)

NDCG = {"retriever": 0.1868, "item_knn": 0.1179, "covisitation": 0.1234, "recently_popular": 0.0312, "popular": 0.0298}
"""Of each system."""


def estimate(value: float, half: float = 0.007) -> Estimate:
    return Estimate(value=value, low=value - min(half, value), high=value + half)


def system_result(ndcg: float, *, detail: str = "nothing to choose") -> SystemResult:
    metrics = {
        f"{family}@{k}": estimate(min(0.9, ndcg * share * (k / 10) ** 0.4), 0.05 * ndcg + 0.002)
        for family, share in {"HR": 1.72, "NDCG": 1.0, "MRR": 0.78, "MAP": 0.78}.items()
        for k in (1, 5, 10, 20, 50, 100)
    }
    return SystemResult(
        detail=detail,
        metrics=metrics,
        if_ties_favour={"NDCG@10": ndcg * 1.01, "HR@10": min(0.9, ndcg * 1.72) * 1.01},
        exposure=Exposure(
            coverage=min(1.0, 0.02 + 3 * ndcg),
            gini=1 - 2.2 * ndcg,
            popularity=1800 - 6000 * ndcg,
            novelty=8.2 + 14 * ndcg,
            diversity=0.78,
        ),
    )


def protocol(**changes: object) -> Protocol:
    return Protocol.model_validate(
        {
            "split": "leave_last_out",
            "item_universe": "the whole catalogue",
            "num_candidates": 3416,
            "filter": "items clicked before the target",
            "max_length": 200,
            "gaps_floored_to_seconds": 3600.0,
            "users": 6040,
            "users_without_history": 0,
            "targets_never_trained": 3,
            "targets_not_candidates": 0,
            "targets_clicked_before": 0,
            "resamples": 2000,
        }
        | changes
    )


def comparisons() -> tuple[Comparison, ...]:
    return tuple(
        Comparison(
            systems=(first, second),
            metric=metric,
            difference=Estimate(value=gap, low=gap - 0.006, high=gap + 0.006),
            p=0.0005 if abs(gap) > 0.01 else 0.21,
            p_adjusted=0.003 if abs(gap) > 0.01 else 0.42,
        )
        for metric, share in {"NDCG@10": 1.0, "HR@10": 1.72}.items()
        for first, second in combinations(NDCG, 2)
        for gap in [(NDCG[first] - NDCG[second]) * share]
    )


def segmentations() -> tuple[Segmentation, ...]:
    lengths = {"1 to 50 clicks": (2100, 1.2), "51 to 150 clicks": (2240, 1.0), "151 clicks and more": (1700, 0.8)}
    popularity = {"head: a third of the clicks": (1300, 1.5), "torso": (2400, 1.0), "tail": (2340, 0.55)}
    groups = {
        genre: (400 + 70 * index, 0.8 + 0.1 * index)
        for index, genre in enumerate(("Drama", "Comedy", "Thriller", "Sci-Fi", "Animation"))
    }
    named = {"history length": lengths, "target popularity": popularity, "the target's genre": groups}
    return tuple(
        Segmentation(name=name, segments=tuple(segment(label, *of) for label, of in parts.items()))
        for name, parts in named.items()
    )


def segment(name: str, users: int, factor: float) -> Segment:
    metrics = {
        system: {"HR@10": estimate(ndcg * factor * 1.72, 0.02), "NDCG@10": estimate(ndcg * factor, 0.012)}
        for system, ndcg in NDCG.items()
    }
    return Segment(name=name, users=users, metrics=metrics)


def finding(verdict: Verdict, check: str, found: str, remedy: str = "") -> Finding:
    return Finding(check=check, verdict=verdict, found=found, remedy=remedy)


def audit() -> AuditReport:
    return AuditReport(
        findings=(
            finding("passed", "no training click is later than its user's target", "6,040 users looked at: none"),
            finding("passed", "no list holds an item that its user has clicked", "604,000 places looked at: none"),
            finding("passed", "one click is no other's copy", "0 of 999,611 clicks repeat user, item and time"),
            finding(
                "passed", "scores do not change with the future", "64 users, clicks after the target replaced: 0.0"
            ),
            finding("passed", "HR and NDCG are those of another program", "computed twice: 0.0 apart at most"),
            finding("noted", "clicks have an order", "34.1% of clicks share their time with the click before"),
            finding("noted", "other users' future is unknown", "41% of training clicks are later than the mean target"),
            finding("not applicable", "no training click is later than the cut", "leave_last_out has no cut"),
        )
    )


def leaking_audit() -> AuditReport:
    leak = finding("leak", "targets are not in training", "12 of 6,040 targets are", "prepare the data again")
    return AuditReport(findings=(*audit().findings, leak))


def evaluation(**changes: object) -> Evaluation:
    details = {"recently_popular": "clicks of the last 7 days, chosen on validation", "item_knn": "100 neighbours"}
    values = {
        "protocol": protocol(),
        "systems": {
            system: system_result(ndcg, detail=details.get(system, "as it is")) for system, ndcg in NDCG.items()
        },
        "missing": {},
        "comparisons": comparisons(),
        "segmentations": segmentations(),
        "target_popularity": 742.3,
        "audit": audit(),
    }
    return Evaluation.model_validate(values | changes)
