"""/docs in a real browser: every operation is there, and can be tried, with a token where the server asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.browsers import browser, needs_browser
from tests.serving.servers import Running, running

pytestmark = needs_browser


@pytest.fixture
def guarded(bundle: Path) -> Iterator[Running]:
    with running(bundle, RECSYS_TOKEN="word") as started:
        yield started


def test_an_operation_is_tried(server: Running) -> None:
    with browser() as started:
        page = started.new_page()
        page.goto(f"{server.url}/docs")
        page.wait_for_selector('summary:has-text("/v1/recommendations:batch")')
        assert page.locator("details").count() == 10
        page.click('summary:has-text("POST/v1/similar")')
        box = page.locator("details", has=page.locator("summary", has_text="/v1/similar"))
        box.locator("text=Send").click()
        page.wait_for_selector("pre >> text=neighbours")


def test_the_token_is_asked_for_once(guarded: Running) -> None:
    with browser() as started:
        page = started.new_page()
        page.goto(guarded.url)
        for told in ("wrong", "word"):
            page.fill("#token", told)
            page.click("text=Use it")
        page.wait_for_selector("#recommended .open")
        page.goto(f"{guarded.url}/docs")
        page.locator("details >> nth=0").locator("text=Send").click()
        page.wait_for_selector("pre >> text=neighbours")
        assert page.locator("#token").count() == 0
