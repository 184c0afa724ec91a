"""What a comparison of rankers found, and how it is told."""

from recsys.evaluation.clicks import CLICK_METRICS
from recsys.evaluation.compare.report import ComparedSystem, comparison_line, estimate_text
from recsys.evaluation.outcome import Comparison, Estimate
from recsys.section import Section


class ClickComparison(Section):
    examples: int
    users: int
    systems: tuple[ComparedSystem, ...]
    comparisons: tuple[Comparison, ...]
    """Of each two rankers, metric by metric; of log loss and calibration error less is better."""

    def lines(self) -> list[str]:
        width = max(len(system.name) for system in self.systems)
        header = f"{'':<{width}}  seeds" + "".join(f"{name:>26}" for name in CLICK_METRICS)
        rows = [
            f"{system.name:<{width}}  {len(system.runs):>5}"
            + "".join(f"{_text(system.metrics.get(name)):>26}" for name in CLICK_METRICS)
            for system in self.systems
        ]
        return [
            f"Predicted clicks: {self.examples:,} test examples of {self.users:,} users, the same for all",
            header,
            *rows,
            "Differences, paired, with 95 % intervals of users drawn anew; p adjusted by Holm's method:",
            *(f"  {comparison_line(found)}" for found in self.comparisons),
        ]


def _text(found: Estimate | None) -> str:
    return "-" if found is None else estimate_text(found)
