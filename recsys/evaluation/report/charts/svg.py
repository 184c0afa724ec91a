"""SVG elements as text. Every string that goes in is escaped; numbers are kept to a tenth of a unit."""

from markupsafe import Markup, escape


def element(name: str, *children: str | Markup, **attributes: str | float) -> Markup:
    """`class_` is class and `text_anchor` is text-anchor, as Python cannot say them."""
    said = "".join(f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"' for key, value in attributes.items())
    inside = Markup("").join(children)
    return Markup(f"<{name}{said}>{inside}</{name}>" if inside else f"<{name}{said}/>")


def drawing(name: str, width: float, height: float, *marks: Markup, label: str) -> Markup:
    """A chart that grows and shrinks with the page. `label` says what is drawn to those who cannot see it."""
    attributes: dict[str, str | float] = {
        "class_": "chart",
        "viewBox": f"0 0 {number(width)} {number(height)}",
        "data_chart": name,
        "role": "img",
        "aria_label": label,
    }
    return element("svg", *marks, **attributes)


def words(x: float, y: float, text: str, *, kind: str, anchor: str = "start") -> Markup:
    """A line of text, isolated so that its own direction cannot turn the chart's."""
    return element("text", f"\u2068{text}\u2069", x=x, y=y, class_=kind, text_anchor=anchor)


def tooltip(text: str) -> Markup:
    return element("title", text)


def number(value: float) -> str:
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _value(value: str | float) -> str:
    return escape(value) if isinstance(value, str) else number(value)
