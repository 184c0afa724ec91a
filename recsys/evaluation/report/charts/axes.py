"""Grid lines with their values."""

import math
from collections.abc import Callable

from markupsafe import Markup

from recsys.evaluation.report.charts.fit import width_of
from recsys.evaluation.report.charts.scales import Scale
from recsys.evaluation.report.charts.svg import element, words

TEXT, LABEL = 11, 12
"""Sizes of small and of plain text, in units of the drawing; the style sheet says them too."""


def bottom_axis(scale: Scale, *, top: float, bottom: float) -> Markup:
    """A line up from each tick; every tick has its value, or as many as there is room for."""
    parts, texts = [], [scale.text(tick) for tick in scale.ticks]
    room = abs(scale.end - scale.start) / (len(texts) - 1)
    stride = math.ceil(max(width_of(f"{text} ", TEXT) for text in texts) / room)
    for index, (tick, text) in enumerate(zip(scale.ticks, texts, strict=True)):
        x = scale(tick)
        parts.append(element("line", x1=x, x2=x, y1=top, y2=bottom, class_="zero" if tick == 0 else "grid"))
        if index % stride == 0:
            parts.append(words(x, bottom + TEXT + 3, text, kind="tick", anchor="middle"))
    return Markup("").join(parts)


def left_axis(scale: Scale, *, left: float, right: float, text: Callable[[float], str] | None = None) -> Markup:
    """`text` writes the ticks otherwise than the scale does."""
    write, parts = text or scale.text, []
    for tick in scale.ticks:
        y = scale(tick)
        parts.append(element("line", x1=left, x2=right, y1=y, y2=y, class_="zero" if tick == 0 else "grid"))
        parts.append(words(left - 6, y + TEXT * 0.35, write(tick), kind="tick", anchor="end"))
    return Markup("").join(parts)
