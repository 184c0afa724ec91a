"""Draws the report: one file that needs no network, no script and no other file."""

from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from recsys.evaluation.outcome import Evaluation
from recsys.evaluation.report import wording
from recsys.evaluation.report.contents import ReportContents
from recsys.evaluation.report.figures import Figures
from recsys.evaluation.report.verdict import verdict

HEADLINE = ("HR@10", "NDCG@10", "MRR@10")
SEGMENTED = "NDCG@10"
RANKER = "ranker"
SPLITS = {
    "leave_last_out": "the last click of each user",
    "by_time": "clicks after one cut in time",
    "by_column": "users set apart by a column of the log",
}
BADGES = {"leak": ("leak", "LEAK"), "noted": ("note", "note"), "passed": ("ok", "ok"), "not applicable": ("na", "n/a")}
"""A verdict's class and its word, in the order in which findings are told."""


@dataclass(frozen=True)
class Part:
    """A section of the page; its template is named after its anchor."""

    anchor: str
    title: str
    short: str


PARTS = (
    Part("systems", "How the systems rank", "Systems"),
    Part("comparisons", "Is the difference real?", "Comparisons"),
    Part(RANKER, "How the second stage predicts clicks", "Ranker"),
    Part("audit", "Can it be believed?", "Audit"),
    Part("segments", "For whom it works", "Segments"),
    Part("popularity", "What gets shown", "Popularity"),
    Part("examples", "Some users, and what they were shown", "Examples"),
    Part("neighbours", "Items and their nearest items", "Neighbours"),
    Part("map", "A map of the items", "Item map"),
    Part("calibration", "What a score is worth", "Calibration"),
    Part("training", "How the model was trained", "Training"),
    Part("data", "What it was trained on", "Data"),
    Part("reproduce", "How to get these figures again", "Reproduce"),
)


def render(contents: ReportContents) -> str:
    """The page as HTML; the same contents make the same bytes."""
    evaluation = contents.evaluation
    return (
        _environment()
        .get_template("report.html")
        .render(
            contents=contents,
            evaluation=evaluation,
            protocol=evaluation.protocol,
            figures=Figures(contents),
            verdict=verdict(evaluation, contents.best),
            parts=[part for part in PARTS if part.anchor != RANKER or contents.ranker is not None],
            headline_metrics=_headline_metrics(evaluation),
            cutoffs=_cutoffs(evaluation),
            tops=_tops(evaluation),
            favoured=_favoured(evaluation),
            segmented=SEGMENTED,
            splits=SPLITS,
            badges=BADGES,
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("recsys.evaluation.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    writers = (wording.metric, wording.signed, wording.rounded, wording.percent, wording.share, wording.p_value)
    others = (wording.cosine, wording.interval, wording.plural, wording.system_title)
    environment.filters |= {writer.__name__: writer for writer in (*writers, *others)}
    return environment


def _headline_metrics(evaluation: Evaluation) -> list[str]:
    """HR, NDCG and MRR at 10; where there are none of them, the first three that there are."""
    known = _metrics(evaluation)
    return [name for name in HEADLINE if name in known] or known[:3]


def _cutoffs(evaluation: Evaluation) -> dict[str, list[str]]:
    """Metric -> its names at rising k, such as HR -> HR@1, HR@10."""
    families: dict[str, list[str]] = {}
    for name in _metrics(evaluation):
        families.setdefault(name.partition("@")[0], []).append(name)
    return {family: sorted(names, key=_cutoff) for family, names in families.items()}


def _cutoff(name: str) -> int:
    k = name.partition("@")[2]
    return int(k) if k.isdecimal() else 0


def _tops(evaluation: Evaluation) -> dict[str, float]:
    """Metric -> the best system's value."""
    results = evaluation.systems.values()
    return {
        name: max(result.metrics[name].value for result in results if name in result.metrics)
        for name in _metrics(evaluation)
    }


def _favoured(evaluation: Evaluation) -> list[str]:
    return list(dict.fromkeys(name for result in evaluation.systems.values() for name in result.if_ties_favour))


def _metrics(evaluation: Evaluation) -> list[str]:
    return list(dict.fromkeys(name for result in evaluation.systems.values() for name in result.metrics))
