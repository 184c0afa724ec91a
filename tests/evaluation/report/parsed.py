"""A page taken apart: its elements, its text, and whether every element is closed where it should be."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "hr", "img"}


@dataclass
class Element:
    name: str
    attributes: dict[str, str | None]
    text: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        return " ".join("".join(self.text).split())


class Page(HTMLParser):
    """`elements` in their order; each holds the text of all that lies inside."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.open: list[Element] = []
        self.feed(html)
        self.close()
        assert self.open == [], "everything is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_data(" ")
        self.elements.append(Element(tag, dict(attrs)))
        assert len(attrs) == len(self.elements[-1].attributes), "an attribute is said once"
        if tag not in VOID:
            self.open.append(self.elements[-1])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().name == tag

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text.append(data)

    def all(self, name: str) -> list[Element]:
        return [element for element in self.elements if element.name == name]

    @property
    def words(self) -> str:
        """What stands on the page, its title and tooltips included."""
        return self.all("body")[0].words

    @property
    def charts(self) -> dict[str, Element]:
        named = [element for element in self.elements if "data-chart" in element.attributes]
        charts = {str(element.attributes["data-chart"]): element for element in named}
        assert len(charts) == len(named), "no two charts have one name"
        return charts
