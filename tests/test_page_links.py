"""Links into the page: what is looked at stands in its address, and is there again after a reload."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opened import Browser, opened, wide_browser

expect: Any = pytest.importorskip("playwright.sync_api").expect

LOOP = Path(__file__).parents[1] / "recordings" / "a3-text-ping-to-json-reader.jsonl"


@pytest.fixture(scope="module")
def seen() -> Iterator[Browser]:
    with wide_browser() as made:
        yield made


@pytest.fixture(scope="module")
def address(seen: Browser) -> Iterator[str]:
    """Of a page whose browser has been let in."""
    with opened(LOOP) as link:
        seen.open(link)
        yield seen.page.url.partition("#")[0]


@pytest.fixture
def page(seen: Browser, address: str) -> Iterator[Any]:
    """The page as it is when it is opened."""
    seen.page.goto("about:blank")
    yield seen.open(address)
    assert seen.problems == []


def follow(seen: Browser, address: str, rest: str) -> Any:
    """The page by a link into it."""
    seen.page.goto("about:blank")
    return seen.open(address + rest)


def test_what_is_looked_at_is_there_after_a_reload(page: Any, seen: Browser) -> None:
    page.locator("#lane-3").click()
    page.get_by_label("Text", exact=True).fill("type")
    expect(page.locator(".entries-count")).to_have_text("5 of 9")
    page.locator(".list .row", has_text="typing").click()
    expect(page.locator(".entry h3")).to_have_text("client frame 5: text")
    page.get_by_role("button", name="Close the panels").click()
    expect(page).to_have_url(re.compile(r"#/conn/3/frame/5\?panel=none&text=type$"))
    page.reload()
    expect(page.locator(".entry h3")).to_have_text("client frame 5: text")
    expect(page.locator(".verdict h2")).to_contain_text("#3 ")
    expect(page.get_by_label("Text", exact=True)).to_have_value("type")
    expect(page.locator(".entries-count")).to_have_text("5 of 9")
    expect(page.locator(".drawer")).to_have_count(0)
    expect(page.locator(".list .row[aria-selected=true]")).to_contain_text("typing")


def test_a_link_names_a_frame_or_a_view(seen: Browser, address: str) -> None:
    page = follow(seen, address, "#/conn/2/frame/6")
    expect(page.locator(".entry h3")).to_have_text("client frame 6: text, a heartbeat")
    page = follow(seen, address, "#/conn/4?view=handshake")
    expect(page.get_by_role("tab", name="Handshake")).to_have_attribute("aria-selected", "true")
    expect(page.locator(".verdict h2")).to_contain_text("#4 ")
    page = follow(seen, address, "#/conn/99")
    expect(page.locator(".connection")).to_have_text("There is no connection 99 in this recording.")


def test_back_leads_back_from_a_citation(page: Any) -> None:
    page.locator("#lane-5").click()
    expect(page).to_have_url(re.compile("#/conn/5$"))
    page.get_by_role("button", name="connection 1, frame 8").first.click()
    expect(page).to_have_url(re.compile("#/conn/1/frame/8$"))
    expect(page.locator(".entry h3")).to_contain_text("client frame 8")
    page.go_back()
    expect(page.locator(".verdict h2")).to_contain_text("#5 ")
    expect(page.locator(".entry")).to_have_count(0)
    page.go_forward()
    expect(page.locator(".entry h3")).to_contain_text("client frame 8")


def test_the_filter_stays_from_one_connection_to_the_next(page: Any) -> None:
    page.get_by_label("Opcode").select_option("heartbeat")
    expect(page.locator(".entries-count")).to_have_text(re.compile("^1 of "))
    page.locator("#lane-2").click()
    expect(page.locator(".entries-count")).to_have_text("1 of 9")
    page.get_by_role("button", name="connection 1, frame 8").first.click()
    page.locator("#lane-1").click()
    page.get_by_label("Opcode").select_option("close")
    expect(page.locator(".entries-count")).to_have_text(re.compile("^0 of "))
    page.get_by_role("button", name="connection 1, frame 8").first.click()
    expect(page.locator(".entries-count")).to_contain_text("is not among these")
    page.get_by_role("button", name="Show all").click()
    expect(page.locator(".list .row[aria-selected=true]")).to_contain_text("ping")
