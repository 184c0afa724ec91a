"""How one series is told from another: by its colour, and by the shape of its marks."""

from markupsafe import Markup

from recsys.evaluation.report.charts.svg import element, number

SHAPES: tuple[tuple[tuple[float, float], ...], ...] = (
    (),
    ((-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)),
    ((0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)),
    ((0, -1.15), (1.15, 0.85), (-1.15, 0.85)),
    ((0, 1.15), (1.15, -0.85), (-1.15, -0.85)),
    ((-0.45, -1.2), (0.45, -1.2), (0.45, 1.2), (-0.45, 1.2)),
    ((-1.2, -0.45), (1.2, -0.45), (1.2, 0.45), (-1.2, 0.45)),
)
"""The first is a circle, the others polygons about a circle of radius 1."""
NUM_COLOURS = 8


def colour(series: int) -> str:
    """The class that gives a series its colour; the page's style sheet says which."""
    return f"s{series % NUM_COLOURS}"


def marker(series: int, x: float, y: float, radius: float, *children: Markup) -> Markup:
    shape = SHAPES[series % len(SHAPES)]
    if not shape:
        return element("circle", *children, cx=x, cy=y, r=radius, class_=f"mark {colour(series)}")
    points = " ".join(f"{number(x + dx * radius)},{number(y + dy * radius)}" for dx, dy in shape)
    return element("polygon", *children, points=points, class_=f"mark {colour(series)}")


def swatch(series: int) -> Markup:
    """A series' mark for a legend, said by the words beside it."""
    return _swatch(marker(series, 7, 7, 5))


def disc(series: int) -> Markup:
    """The same where all marks are circles."""
    return _swatch(element("circle", cx=7, cy=7, r=5.5, class_=f"mark {colour(series)}"))


def _swatch(mark: Markup) -> Markup:
    box: dict[str, str | float] = {"class_": "swatch", "viewBox": "0 0 14 14", "aria_hidden": "true"}
    return element("svg", mark, **box)
