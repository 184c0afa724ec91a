"""What a comparison of runs found, and how it is told."""

from itertools import combinations

from recsys.evaluation.config import K
from recsys.evaluation.outcome import Comparison, Estimate, Protocol
from recsys.section import Section


def metrics_at(k: int) -> tuple[str, str, str]:
    return f"HR@{k}", f"NDCG@{k}", f"MRR@{k}"


class ComparedSystem(Section):
    name: str
    runs: tuple[str, ...]
    """One for each seed."""
    metrics: dict[str, Estimate]
    """Means over users and seeds."""


class DisagreementExample(Section):
    """A user to whom one run served the target much earlier than the other."""

    user_id: str
    target: str
    ranks: tuple[int | None, int | None]
    """None where the run cannot return it."""
    lists: tuple[tuple[str, ...], tuple[str, ...]]
    """The first three items of each run's list."""

    def line(self) -> str:
        ranks = ["not returned" if rank is None else f"rank {rank:,}" for rank in self.ranks]
        lists = [", ".join(items) for items in self.lists]
        return f"user {self.user_id}, target {self.target}: {ranks[0]} ({lists[0]} ...) and {ranks[1]} ({lists[1]} ...)"


class Disagreement(Section):
    """Of one run each of two systems, within the first k of their lists."""

    runs: tuple[str, str]
    k: int
    """As far as both lists reach."""
    both: int
    """Users whose target both list."""
    only_first: int
    only_second: int
    neither: int
    shared_items: float
    """Mean number of items that stand in both lists."""
    better_by_first: tuple[DisagreementExample, ...]
    better_by_second: tuple[DisagreementExample, ...]

    def lines(self) -> list[str]:
        first, second = self.runs
        return [
            f"{first} and {second}, first {self.k} of each list: {self.shared_items:.1f} items in common",
            f"  hit by both {self.both:,}, by {first} only {self.only_first:,}, by {second} only {self.only_second:,}, "
            f"by neither {self.neither:,}",
            *(f"  {first} is better for {example.line()}" for example in self.better_by_first),
            *(f"  {second} is better for {example.line()}" for example in self.better_by_second),
        ]


class ComparisonReport(Section):
    protocol: Protocol
    """Of the first run; in what ranks depend on, that of all."""
    k: int = K
    resamples: int
    foreign: tuple[str, ...] = ()
    """Lists from elsewhere. Nothing is known of how they were made."""
    told_time: tuple[str, ...] = ()
    """Systems that know when the predicted click happens."""
    systems: tuple[ComparedSystem, ...]
    comparisons: tuple[Comparison, ...]
    """Of each two systems, metric by metric."""
    disagreements: tuple[Disagreement, ...]

    @property
    def verdicts(self) -> tuple[str, ...]:
        """For each two systems, what can be told in words."""
        pairs = combinations([system.name for system in self.systems], 2)
        main = metrics_at(self.k)[1]
        return tuple(_verdict([one for one in self.comparisons if one.systems == pair], main) for pair in pairs)

    @property
    def warnings(self) -> tuple[str, ...]:
        single = [system.name for system in self.systems if len(system.runs) == 1]
        unproved = [
            f"{name}: lists from elsewhere. What they were made from, and whether they keep to the filter, is not known"
            for name in self.foreign
        ]
        if not single:
            return tuple(unproved)
        return (
            *unproved,
            f"one seed each of {', '.join(single)}: intervals and p values tell of other users, and nothing of other "
            "seeds; train with several (seed=1, seed=2, ...) to tell systems apart rather than models",
        )

    def lines(self) -> list[str]:
        return [
            f"{self.protocol.users:,} test users, the same for all; split {self.protocol.split}, "
            f"{self.protocol.num_candidates:,} candidates, filter: {self.protocol.filter}",
            *(f"{name} knows when the predicted click happens (query time)" for name in self.told_time),
            *self._table(),
            "",
            f"Differences, paired, with 95 % intervals of {self.resamples:,} resamples; p adjusted by Holm's method:",
            *(f"  {comparison_line(comparison)}" for comparison in self.comparisons),
            "",
            *self.verdicts,
            *(f"Note: {warning}" for warning in self.warnings),
            "",
            *(line for disagreement in self.disagreements for line in disagreement.lines()),
        ]

    def _table(self) -> list[str]:
        width = max(len(system.name) for system in self.systems)
        header = f"{'':<{width}}  seeds" + "".join(f"{name:>26}" for name in metrics_at(self.k))
        rows = [
            f"{system.name:<{width}}  {len(system.runs):>5}"
            + "".join(f"{estimate_text(system.metrics[name]):>26}" for name in metrics_at(self.k))
            for system in self.systems
        ]
        return [header, *rows]


def _verdict(comparisons: list[Comparison], main: str) -> str:
    first, second = comparisons[0].systems
    told = [found for found in comparisons if found.is_significant]
    if not told:
        shown = next(found for found in comparisons if found.metric == main)
        return f"No difference can be told between {first} and {second}: {shown.told}"
    signs = {found.first_is_better for found in told}
    if len(signs) == 2:
        texts = ", ".join(found.told for found in told)
        return f"{first} and {second} differ, and neither is better throughout: {texts}"
    better, worse, seen = (first, second, told) if signs == {True} else (second, first, map(_turned, told))
    return f"{better} ranks better than {worse}: {', '.join(found.told for found in seen)}"


def _turned(found: Comparison) -> Comparison:
    """The second system less the first."""
    difference = found.difference
    turned = Estimate(value=-difference.value, low=-difference.high, high=-difference.low)
    return found.model_copy(update={"systems": found.systems[::-1], "difference": turned})


def comparison_line(found: Comparison) -> str:
    return f"{' - '.join(found.systems)}  {found.told}  p {found.p:.4f}, adjusted {found.p_adjusted:.4f}"


def estimate_text(found: Estimate) -> str:
    return f"{found.value:.4f} [{found.low:.4f}, {found.high:.4f}]"
