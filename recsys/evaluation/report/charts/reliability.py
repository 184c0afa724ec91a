"""What was predicted against what came of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from recsys.evaluation.report.charts.axes import bottom_axis, left_axis
from recsys.evaluation.report.charts.markers import marker
from recsys.evaluation.report.charts.scales import scale_of
from recsys.evaluation.report.charts.svg import drawing, element, number, tooltip, words
from recsys.evaluation.report.wording import metric

WIDTH, HEIGHT = 346.0, 330.0
LEFT, RIGHT, TOP, BOTTOM = 42.0, 318.0, 12.0, 288.0
SMALLEST, LARGEST = 2.0, 5.0


@dataclass(frozen=True)
class Pair:
    predicted: float
    observed: float
    count: int


def reliability_chart(name: str, title: str, pairs: Sequence[Pair]) -> Markup:
    """Both axes have one scale, so that a perfect prediction lies on the diagonal; larger dots count more."""
    finite = [pair for pair in pairs if math.isfinite(pair.predicted) and math.isfinite(pair.observed)]
    values = [0.0, *(pair.predicted for pair in finite), *(pair.observed for pair in finite)]
    across, up = scale_of(values, LEFT, RIGHT), scale_of(values, BOTTOM, TOP)
    most = max([pair.count for pair in finite], default=0) or 1
    line = " ".join(f"{number(across(pair.predicted))},{number(up(pair.observed))}" for pair in finite)
    marks = [
        left_axis(up, left=LEFT, right=RIGHT),
        bottom_axis(across, top=TOP, bottom=BOTTOM),
        element("line", x1=LEFT, y1=BOTTOM, x2=RIGHT, y2=TOP, class_="reference"),
        element("polyline", points=line, class_="line s0"),
    ]
    for pair in finite:
        radius = SMALLEST + (LARGEST - SMALLEST) * math.sqrt(pair.count / most)
        said = tooltip(f"predicted {metric(pair.predicted)}, observed {metric(pair.observed)} of {pair.count:,}")
        marks.append(marker(0, across(pair.predicted), up(pair.observed), radius, said))
    marks.append(words((LEFT + RIGHT) / 2, HEIGHT - 12, "predicted probability", kind="tick", anchor="middle"))
    marks.append(words(LEFT + 8, TOP + 12, "share clicked next", kind="tick"))
    said_all = "; ".join(f"{metric(pair.predicted)} {metric(pair.observed)}" for pair in finite)
    return drawing(name, WIDTH, HEIGHT, *marks, label=f"{title}, predicted and observed: {said_all}")
