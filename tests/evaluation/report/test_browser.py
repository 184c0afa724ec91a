"""The page as a browser lays it out: on a phone and on a desk, light and dark."""

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass

import pytest

from recsys.evaluation.report.page import render
from tests.evaluation.report.parsed import Page
from tests.evaluation.report.test_page import CONTENTS

CHROMIUM = shutil.which("chromium")
QUIET = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--enable-logging=stderr", "--v=0"),
]
WIDTHS = (375, 1280)
ODD = ("simulated", "one user", "nothing optional", "hostile", "endless names")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on PATH to lay the page out with")

MEASURE = """
const shown = text => text.getClientRects().length > 0
const isOutside = (text, width) => text.getBBox().x < -1 || text.getBBox().x + text.getBBox().width > width + 1
const meet = (a, b) => a.x + a.width > b.x + 1 && b.x + b.width > a.x + 1
  && a.y + a.height > b.y + 3 && b.y + b.height > a.y + 3
const meetings = texts => texts.flatMap((one, i) => texts.slice(i + 1)
  .filter(other => meet(one.getBBox(), other.getBBox())).map(other => one.textContent + " | " + other.textContent))
const isDrawn = box => box.width > 100 && box.height > 20
const measured = page => {
  const root = page.documentElement, charts = [...page.querySelectorAll("[data-chart]")]
  page.querySelectorAll("details").forEach(details => { details.open = true })
  const texts = chart => [...chart.querySelectorAll("text")].filter(shown)
  return {
    spill: root.scrollWidth - root.clientWidth,
    charts: charts.filter(chart => isDrawn(chart.getBoundingClientRect())).map(chart => chart.dataset.chart),
    outside: charts.flatMap(chart => texts(chart).filter(text => isOutside(text, chart.viewBox.baseVal.width)))
      .map(text => text.textContent),
    meeting: charts.flatMap(chart => meetings(texts(chart))),
  }
}
const found = [...document.querySelectorAll("iframe")].map(frame => measured(frame.contentDocument))
document.body.innerHTML = "<pre id=found></pre>"
document.getElementById("found").textContent = JSON.stringify(found)
"""


@dataclass(frozen=True)
class LaidOut:
    """`frames`: what was measured at each width."""

    frames: list[dict]
    console: list[str]
    charts: set[str]


@pytest.fixture(
    scope="module", params=["full", "simulated", "one user", "nothing optional", "hostile", "endless names"]
)
def laid_out(request, tmp_path_factory):
    """The page in a frame of each width, in one window that measures them."""
    directory = tmp_path_factory.mktemp("browser")
    page = render(CONTENTS[request.param]())
    # the policy of the page would bind the frames' scripts as well
    frames = "".join(f'<iframe srcdoc="{html.escape(page)}" width="{width}" height="900"></iframe>' for width in WIDTHS)
    script = f"<script>addEventListener('load', () => {{ {MEASURE} }})</script>"
    (directory / "frames.html").write_text(f"<!doctype html><meta charset=utf-8><body>{frames}{script}", "utf-8")
    command = [
        CHROMIUM,
        *QUIET,
        "--dump-dom",
        f"--user-data-dir={directory / 'profile'}",
        (directory / "frames.html").as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found = re.search(r'<pre id="found">(.*)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return LaidOut(json.loads(html.unescape(found[1])), console, set(Page(page).charts))


def test_the_browser_has_nothing_to_complain_of(laid_out):
    assert laid_out.console == []


def test_the_page_is_no_wider_than_its_window_even_with_everything_unfolded(laid_out):
    assert [frame["spill"] for frame in laid_out.frames] == [0, 0]


def test_every_chart_is_drawn(laid_out):
    assert [set(frame["charts"]) for frame in laid_out.frames] == [laid_out.charts] * 2


def test_no_label_is_cut_off_and_no_two_meet(laid_out):
    for frame in laid_out.frames:
        assert frame["outside"] == []
        assert frame["meeting"] == []
