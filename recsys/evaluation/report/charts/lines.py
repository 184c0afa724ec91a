"""One value by epoch, the best epoch marked."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from recsys.evaluation.report.charts.axes import bottom_axis, left_axis
from recsys.evaluation.report.charts.markers import marker
from recsys.evaluation.report.charts.scales import scale_of, whole_scale_of
from recsys.evaluation.report.charts.svg import drawing, element, number, tooltip, words
from recsys.evaluation.report.wording import metric

WIDTH, HEIGHT = 330.0, 214.0
LEFT, RIGHT, TOP, BOTTOM = 42.0, 318.0, 24.0, 190.0


def epoch_chart(name: str, title: str, points: Sequence[tuple[int, float]], best_epoch: int) -> Markup:
    """Values that are no numbers are left out."""
    finite = [(epoch, value) for epoch, value in points if math.isfinite(value)]
    across = whole_scale_of((epoch for epoch, _ in finite), LEFT, RIGHT)
    up = scale_of((value for _, value in finite), BOTTOM, TOP)
    places = [f"{number(across(epoch))},{number(up(value))}" for epoch, value in finite]
    marks = [
        left_axis(up, left=LEFT, right=RIGHT),
        bottom_axis(across, top=BOTTOM, bottom=BOTTOM),
        element("polyline", points=" ".join(places), class_="line s0"),
    ]
    for epoch, value in finite:
        radius = 5.0 if epoch == best_epoch else 2.0
        marks.append(marker(0, across(epoch), up(value), radius, tooltip(f"epoch {epoch}: {metric(value)}")))
    best = [value for epoch, value in finite if epoch == best_epoch]
    if best:
        marks.append(_best(across(best_epoch), f"epoch {best_epoch} kept: {metric(best[0])}"))
    said = "; ".join(f"epoch {epoch} {metric(value)}" for epoch, value in finite)
    return drawing(name, WIDTH, HEIGHT, *marks, label=f"{title} by epoch, {best_epoch} kept: {said}")


def _best(x: float, text: str) -> Markup:
    anchor = "end" if x > (LEFT + RIGHT) / 2 else "start"
    line = element("line", x1=x, x2=x, y1=TOP - 6, y2=BOTTOM, class_="reference")
    return line + words(x, TOP - 10, text, kind="label", anchor=anchor)
