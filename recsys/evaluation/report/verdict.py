"""The result in words: who ranks best, by how much, and whether chance explains it."""

import math
from dataclasses import dataclass

from recsys.evaluation.outcome import RETRIEVER, SIGNIFICANT, Comparison, Evaluation
from recsys.evaluation.report.contents import Best
from recsys.evaluation.report.wording import metric, p_value, percent, plural, system_title

PREFERRED = "NDCG@10"


@dataclass(frozen=True)
class Verdict:
    headline: str
    sentences: tuple[str, ...]


def verdict(evaluation: Evaluation, best_possible: Best | None) -> Verdict:
    """A leak is the headline, whatever the figures are."""
    by = leading_metric(evaluation)
    found = Verdict("Nothing was measured", ()) if by is None else _of_figures(evaluation, by)
    sentences = [*found.sentences, *_baselines_beaten(evaluation, by), *_of_the_best(evaluation, best_possible)]
    if evaluation.audit.leaks:
        return Verdict("The audit found a leak: these figures prove nothing", (f"{found.headline}.", *sentences))
    return Verdict(found.headline, tuple(sentences))


def leading_metric(evaluation: Evaluation) -> str | None:
    """NDCG@10, or the first metric that every system has a figure of."""
    every = [
        [name for name, found in result.metrics.items() if math.isfinite(found.value)]
        for result in evaluation.systems.values()
    ]
    shared = [name for name in every[0] if all(name in names for names in every)] if every else []
    return PREFERRED if PREFERRED in shared else next(iter(shared), None)


def _of_figures(evaluation: Evaluation, by: str) -> Verdict:
    values = {system: result.metrics[by].value for system, result in evaluation.systems.items()}
    ordered = sorted(values, key=lambda system: -values[system])
    first = _the(ordered[0])
    if len(ordered) == 1:
        return Verdict(f"{_start(first)} reaches {by} {metric(values[ordered[0]])}", ("It was compared with nothing.",))
    second, ahead = _the(ordered[1]), values[ordered[0]] - values[ordered[1]]
    if ahead == 0:
        return Verdict("No winner: the best two are level", (f"{_start(first)} and {second} have the same {by}.",))
    figures = f"{by} is {metric(values[ordered[0]])}, against {metric(values[ordered[1]])} for {second}, the next best"
    compared = evaluation.comparison(ordered[0], ordered[1], by)
    if compared is None:
        return Verdict(f"{_start(first)} ranks best", (f"{figures}; the difference was not tested.",))
    tested = _tested(compared)
    if not compared.is_significant:
        headline = f"No clear winner: {first} and {second} cannot be told apart"
        return Verdict(headline, (f"{figures}, but chance may explain it: {tested}.",))
    by_how_much = _ahead(ahead, values[ordered[1]])
    return Verdict(f"{_start(first)} ranks best, {by_how_much} {second}", (f"{figures}: {tested}.",))


def _ahead(ahead: float, of: float) -> str:
    return f"{percent(ahead / of)} above" if of > 0 and ahead / of >= 0.005 else f"{metric(ahead)} above"


def _tested(comparison: Comparison) -> str:
    difference = comparison.difference
    judged = "significant" if comparison.is_significant else "not significant"
    return (
        f"a difference of {metric(abs(difference.value))}, {judged} at {percent(SIGNIFICANT)} "
        f"(p\u00a0{_equals(comparison.p_adjusted)}, adjusted for the number of comparisons)"
    )


def _equals(p: float) -> str:
    written = p_value(p)
    return written.replace(" ", "\u00a0") if written.startswith("<") else f"=\u00a0{written}"


def _baselines_beaten(evaluation: Evaluation, by: str | None) -> list[str]:
    """How the retriever stands against each system that it was compared with."""
    own = [c for c in evaluation.comparisons if c.metric == by and RETRIEVER in c.systems]
    if not own:
        return []
    clear = [c for c in own if c.is_significant]
    better = [c for c in clear if c.first_is_better == (c.systems[0] == RETRIEVER)]
    many = f"{len(better)} of {plural(len(own), 'baseline')}"
    told = [f"The retriever is significantly better than {_all(len(own)) if len(better) == len(own) else many}"]
    if len(clear) > len(better):
        told.append(f"worse than {len(clear) - len(better)}")
    if len(own) > len(clear):
        told.append(f"not clearly different from {len(own) - len(clear)}")
    return [f"{', '.join(told)} by {by}."]


def _all(count: int) -> str:
    return "the one baseline" if count == 1 else f"all {count} baselines"


def _of_the_best(evaluation: Evaluation, best: Best | None) -> list[str]:
    if best is None or RETRIEVER not in evaluation.systems:
        return []
    found = evaluation.retriever.metrics
    reached = {"HR@10": best.hit_rate, "NDCG@10": best.ndcg}
    told = {name: limit for name, limit in reached.items() if limit > 0 and name in found}
    if not told:
        return []
    limits = " and ".join(f"{name} {metric(limit)}" for name, limit in told.items())
    shares = " and ".join(percent(found[name].value / limit) for name, limit in told.items())
    return [f"The best that any ranking could reach is {limits}: the retriever reaches {shares} of it."]


def _the(system: str) -> str:
    return f"the {system_title(system)}" if system == RETRIEVER else system_title(system)


def _start(text: str) -> str:
    return text[:1].upper() + text[1:]
