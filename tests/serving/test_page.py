"""The page in a real browser: the two journeys, with the keyboard, on a phone. Needs chromium and playwright."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.serving.browsers import browser, needs_browser
from tests.serving.servers import Running

pytestmark = needs_browser


@pytest.fixture(params=[{"width": 1300, "height": 900}, {"width": 390, "height": 800}], ids=["wide", "phone"])
def page(request: pytest.FixtureRequest, server: Running) -> Iterator[Any]:
    with browser() as started:
        page, faults = started.new_page(viewport=request.param), []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.on("request", lambda asked: faults.append(asked.url) if not asked.url.startswith(server.url) else None)
        page.goto(server.url)
        page.wait_for_selector("#recommended .open")
        yield page
        assert [fault for fault in faults if "503" not in fault] == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_from_neighbour_to_neighbour(page: Any) -> None:
    page.fill("#query", "film 12")
    page.click("#found >> text=Film 12 (1999)")
    page.wait_for_selector("#near-title >> text=Nearest to Film 12 (1999)")
    first = page.inner_text("#near .open >> nth=0")
    page.click("#near .open >> nth=0")
    page.wait_for_selector(f"#near-title >> text=Nearest to {first}")
    assert page.locator("#near li").count() == 12


def test_a_history_changes_what_is_recommended(page: Any) -> None:
    assert "most clicked" in page.inner_text("#source")
    page.fill("#query", "film 12")
    page.wait_for_selector("#found .add")
    began = time.perf_counter()
    page.click("#found .add >> nth=0")
    page.wait_for_selector("#recommended small >> text=because of")
    assert time.perf_counter() - began < 3
    assert page.inner_text("#source") == "By the retriever."
    assert page.locator("#history li").count() == 1
    page.click("#history button")
    page.wait_for_selector("#source >> text=most clicked")


def test_everything_by_keyboard(page: Any) -> None:
    page.focus("#query")
    page.keyboard.type("film 12")
    page.wait_for_selector("#found .open")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#near-title >> text=Nearest to")
    page.focus("#map")
    for key in ("ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector("#near .open")


def test_a_fault_is_told_and_goes_away(page: Any) -> None:
    page.route("**/v1/recommendations", lambda route: route.fulfill(status=503, json={"detail": "busy for a test"}))
    page.fill("#query", "film 12")
    page.wait_for_selector("#found .add")
    with page.expect_console_message(lambda said: said.type == "error"):
        page.click("#found .add >> nth=0")
    page.wait_for_selector("#trouble >> text=The server says: busy for a test")
    page.unroute("**/v1/recommendations")
    page.click("#found .add >> nth=0")
    page.wait_for_selector("#trouble", state="hidden")


def test_the_choice_that_was_made_last_is_shown(page: Any) -> None:
    page.fill("#query", "film 12")
    page.wait_for_selector("#found .open >> nth=1")
    slow, quick = (page.inner_text(f"#found .open >> nth={place}") for place in (0, 1))
    waiting: list[Any] = []
    page.route("**/similar?*", lambda route: route.continue_() if waiting else waiting.append(route))
    for place in (0, 1):
        page.click(f"#found .open >> nth={place}")
    page.wait_for_selector(f"#near-title >> text=Nearest to {quick}")
    with page.expect_response("**/similar?*"):
        waiting[0].continue_()
    page.wait_for_timeout(100)
    assert slow != quick
    assert page.inner_text("#near-title") == f"Nearest to {quick}"


def test_ids_are_sent_as_they_came(page: Any) -> None:
    large = 2**63 - 1
    sent: list[str] = []

    def record(route: Any) -> None:
        sent.append(route.request.post_data)
        route.fulfill(json={"bundle": "b", "source": "popular", "recommendations": [], "unknown": []})

    page.route(
        "**/v1/items?*",
        lambda route: route.fulfill(json={"bundle": "b", "items": [{"item": large, "title": "Large"}]}),
    )
    page.route("**/v1/recommendations", record)
    page.fill("#query", "large")
    page.click("#found >> text=Large >> xpath=.. >> css=.add")
    page.wait_for_selector("#recommended .hint")
    assert f"[{large}]" in sent[0]


def test_no_more_is_asked_than_the_ranker_puts_in_order(page: Any) -> None:
    asked: list[Any] = []

    def record(route: Any) -> None:
        asked.append(route.request.post_data_json)
        route.continue_()

    def ranked(route: Any) -> None:
        route.fulfill(json={**route.fetch().json(), "has_ranker": True, "num_ranked": 5})

    page.route("**/v1/bundle", ranked)
    page.route("**/v1/recommendations", record)
    page.reload()
    page.wait_for_selector("#recommended .open")
    assert (asked[-1]["k"], asked[-1]["rerank"]) == (5, True)
