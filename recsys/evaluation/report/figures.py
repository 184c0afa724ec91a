"""Which charts the report has, and what each of them shows of its contents."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from markupsafe import Markup

from recsys.evaluation.outcome import TITLES, Comparison, Segment, Segmentation
from recsys.evaluation.report.charts.bars import Tenths, count_chart, tenths_chart
from recsys.evaluation.report.charts.intervals import Group, Reference, Row, grouped_interval_chart, interval_chart
from recsys.evaluation.report.charts.lines import epoch_chart, weight_chart
from recsys.evaluation.report.charts.markers import disc, swatch
from recsys.evaluation.report.charts.reliability import Pair, reliability_chart
from recsys.evaluation.report.charts.scatter import Point, map_chart
from recsys.evaluation.report.contents import Calibration, ItemMap, RankerStory, ReportContents, Training
from recsys.evaluation.report.wording import plural, signed, system_title

GROUP_SERIES = (0, 1, 2, 3, 5, 6, 4)
"""Of the groups of the map: the seventh, often "other", is grey."""


@dataclass(frozen=True)
class Figures:
    contents: ReportContents

    @cached_property
    def series(self) -> dict[str, int]:
        """A system looks the same in every chart, and those of ours in every report."""
        named = [*TITLES, *self.contents.evaluation.systems, *self.contents.popularity.recommended]
        return {system: index for index, system in enumerate(dict.fromkeys(named))}

    def swatch(self, system: str) -> Markup:
        return swatch(self.series[system])

    def group_series(self, group: int) -> int:
        return GROUP_SERIES[group % len(GROUP_SERIES)]

    def group_swatch(self, group: int) -> Markup:
        return disc(self.group_series(group))

    def headline(self, metric: str) -> Markup:
        systems = self.contents.evaluation.systems
        rows = [
            Row(system_title(system), self.series[system], result.metrics[metric])
            for system, result in systems.items()
            if metric in result.metrics
        ]
        return interval_chart(f"systems-{metric}", f"{metric} by system", rows, self._best(metric))

    def _best(self, metric: str) -> Reference | None:
        best = self.contents.best
        known = {} if best is None else {"HR@10": best.hit_rate, "NDCG@10": best.ndcg}
        return Reference(known[metric], "best possible") if metric in known else None

    def differences(self, metric: str, comparisons: Iterable[Comparison]) -> Markup:
        """Each in the colour of the better one."""
        groups = [self._difference(comparison) for comparison in comparisons]
        return grouped_interval_chart(f"differences-{metric}", f"Differences of {metric}", groups)

    def _difference(self, comparison: Comparison) -> Group:
        first, second = comparison.systems
        better = first if comparison.first_is_better else second
        label = f"{system_title(first)} less {system_title(second)}"
        row = Row(label, self.series.get(better, 0), comparison.difference)
        return Group(label, signed(comparison.difference.value), (row,))

    def segmentation(self, segmentation: Segmentation, metric: str) -> Markup:
        """All segmentations have one scale."""
        groups = [self._segment(segment, metric) for segment in segmentation.segments]
        segments = [segment for each in self.contents.evaluation.segmentations for segment in each.segments]
        found = [metrics[metric] for segment in segments for metrics in segment.metrics.values() if metric in metrics]
        extent = [end for estimate in found for end in (estimate.low, estimate.high)]
        title = f"{metric} by {segmentation.name}"
        return grouped_interval_chart(f"segments-{segmentation.name}", title, groups, extent)

    def _segment(self, segment: Segment, metric: str) -> Group:
        rows = tuple(
            Row(system_title(system), self.series.get(system, 0), metrics[metric])
            for system, metrics in segment.metrics.items()
            if metric in metrics
        )
        return Group(segment.name, plural(segment.users, "user"), rows)

    def popularity(self, system: str) -> Markup:
        shares = self.contents.popularity
        most = max([*shares.clicked, *(share for own in shares.recommended.values() for share in own)], default=1.0)
        tenths = Tenths(shares.recommended[system], shares.clicked)
        title = f"Share of {system_title(system)}'s recommendations against share of clicks"
        return tenths_chart(f"popularity-{system}", title, tenths, series=self.series[system], most=most)

    def calibration(self, name: str, calibration: Calibration) -> Markup:
        pairs = [Pair(each.predicted, each.observed, each.count) for each in calibration.bins]
        return reliability_chart(name, "Calibration of scores", pairs)

    def loss(self, name: str, training: Training) -> Markup:
        points = [(epoch.epoch, epoch.loss) for epoch in training.epochs]
        return epoch_chart(f"{name}-loss", "Training loss", points, training.best_epoch)

    def validation(self, name: str, metric: str, training: Training) -> Markup:
        points = [(epoch.epoch, epoch.validation) for epoch in training.epochs]
        known = [(epoch, value) for epoch, value in points if value is not None]
        return epoch_chart(f"{name}-validation", f"Validation {metric}", known, training.best_epoch)

    def weights(self, ranker: RankerStory) -> Markup:
        return weight_chart("weights", "Validation NDCG@10 of both stages", ranker.weights, ranker.weight)

    def history_lengths(self) -> Markup:
        counts = [(bar.label, bar.count) for bar in self.contents.history_lengths]
        return count_chart("history-lengths", "Users by the number of their clicks", counts)

    def item_map(self, item_map: ItemMap) -> Markup:
        points = [
            Point(
                point.x,
                point.y,
                self.group_series(point.group),
                point.clicks,
                point.name,
                f"{point.name}, {plural(point.clicks, 'click')}",
            )
            for point in item_map.points
        ]
        return map_chart("item-map", f"{item_map.about}, coloured by {item_map.coloured_by}", points)
