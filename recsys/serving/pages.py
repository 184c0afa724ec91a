"""The files that a browser is shown. They hold nothing of the bundle, so no token is asked for them."""

from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class PageFile:
    name: str
    kind: str

    def read(self) -> bytes:
        return (files("recsys.serving") / "page" / self.name).read_bytes()


PAGES = {
    "/": PageFile("index.html", "text/html"),
    "/page.js": PageFile("page.js", "text/javascript"),
    "/page.css": PageFile("page.css", "text/css"),
    "/docs": PageFile("docs.html", "text/html"),
    "/docs.js": PageFile("docs.js", "text/javascript"),
    "/asking.js": PageFile("asking.js", "text/javascript"),
}
