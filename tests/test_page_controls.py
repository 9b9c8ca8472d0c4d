"""Small things of the page that a person reaches for: copying, filtering by kind, menus that close."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import node
from harness.browser import violations
from opened import Browser, opened, wide_browser

expect: Any = pytest.importorskip("playwright.sync_api").expect

LOOP = Path(__file__).parents[1] / "recordings" / "a3-text-ping-to-json-reader.jsonl"


@pytest.fixture(scope="module")
def seen() -> Iterator[Browser]:
    with wide_browser("clipboard-read", "clipboard-write") as made:
        yield made


@pytest.fixture(scope="module")
def address(seen: Browser) -> Iterator[str]:
    with opened(LOOP) as link:
        seen.open(link)
        yield seen.page.url.partition("#")[0]


@pytest.fixture
def page(seen: Browser, address: str) -> Iterator[Any]:
    seen.page.goto("about:blank")
    yield seen.open(address)
    assert seen.problems == []


def clipboard(page: Any) -> str:
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def test_commands_messages_and_headers_are_copied(page: Any) -> None:
    page.locator(".why").get_by_role("button", name="Copy the command").first.click()
    expect(page.locator(".why .copy").first).to_contain_text("copied")
    assert re.fullmatch(r"hangup proxy ws://\S+ --filter 'drop-heartbeat side=client'", clipboard(page))
    page.locator(".list .row", has_text="typing").click()
    page.locator(".entry").get_by_role("button", name="Copy the message").click()
    expect(page.locator(".entry .copy")).to_contain_text("copied")
    assert clipboard(page) == '{"type":"typing","on":true}'
    page.locator(".entry").get_by_role("button", name="hex").click()
    page.get_by_role("button", name="Copy the bytes in hex").click()
    expect(page.locator(".entry .copy")).to_contain_text("copied")
    page.wait_for_function("async () => (await navigator.clipboard.readText()).startsWith('7b 22 74')")
    page.get_by_role("tab", name="Handshake").click()
    page.get_by_role("button", name="Copy the headers").first.click()
    expect(page.locator(".half .copy").first).to_contain_text("copied")
    assert clipboard(page).startswith("GET /ws/client-1 HTTP/1.1\n") and "\nUpgrade: websocket" in clipboard(page)


def test_one_click_filters_a_kind_here_or_everywhere(page: Any) -> None:
    page.locator(".list .row", has_text="typing").click()
    button = page.get_by_role("button", name="Filter this kind")
    button.click()
    expect(page.locator(".entries .entries-count")).to_have_text("1 of 9")
    expect(button).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="in all connections").click()
    expect(page.get_by_role("tabpanel", name="Search").get_by_role("status")).to_have_text("6 in 6 connections")
    page.locator(".entries").get_by_role("button", name="Messages of any kind, not only typing").click()
    expect(page.locator(".entries .entries-count")).to_have_text("")


def test_the_figures_of_a_connection(page: Any) -> None:
    page.locator("#lane-3").click()
    page.get_by_role("tab", name="Statistics").click()
    view = page.get_by_role("region", name="Statistics")
    expect(view.get_by_role("table", name="What each side sent")).to_contain_text("4 text")
    expect(view).to_contain_text("1 heartbeat of the client; 0 answered by the server")
    plot = view.get_by_role("img", name="Over time: 1 heartbeat of the client")
    expect(plot.locator(".lost title")).to_have_text("frame 6: no answer")
    lost = plot.locator(".lost").bounding_box()
    page.mouse.click(lost["x"] + lost["width"] / 2, lost["y"] + lost["height"] / 2)
    expect(page.locator(".entry h3")).to_have_text("client frame 6: text, a heartbeat")
    page.get_by_role("tab", name="Statistics").click()
    if not node.problem("axe-core", folder=node.WEB):
        expect(view).to_be_visible()
        assert not violations(page, node.WEB / "node_modules" / "axe-core" / "axe.min.js")
    view.get_by_role("button", name="typing").click()
    expect(page.locator(".entries .entries-count")).to_have_text("1 of 9")
    expect(page.locator(".entry")).to_have_count(0)


def test_times_by_the_clock(page: Any, seen: Browser) -> None:
    page.locator("#lane-3").click()
    first = page.locator(".list .row-time").first
    expect(first).to_have_text("+0 ms")
    seen.settle()
    axis = page.evaluate("document.querySelector('.axis').toDataURL()")
    page.get_by_role("button", name="Clock").click()
    expect(first).to_have_text(re.compile(r"^\d\d:\d\d:\d\d\.\d{3}$"))
    expect(page).to_have_url(re.compile(r"times=clock$"))
    seen.settle()
    assert page.evaluate("document.querySelector('.axis').toDataURL()") != axis
    page.locator(".list .row").nth(1).click()
    expect(page.locator(".facts")).to_contain_text(re.compile(r"\d\d:\d\d:\d\d\.\d{6}, \d+ ms after it opened"))


def test_menus_close(page: Any) -> None:
    menu = page.locator(".export")
    page.locator(".export summary").click()
    expect(menu.get_by_role("link", name="HAR")).to_be_visible()
    page.locator(".axis").click()
    expect(menu.get_by_role("link", name="HAR")).to_be_hidden()
    page.locator(".export summary").click()
    menu.get_by_role("link", name="HAR").focus()
    page.keyboard.press("Escape")
    expect(menu.get_by_role("link", name="HAR")).to_be_hidden()
    expect(page.locator(".export summary")).to_be_focused()
