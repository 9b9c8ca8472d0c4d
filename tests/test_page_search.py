"""The search among all connections, as a person uses it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import recorded as rec
from hangup.recording import events as ev
from harness import DEADLINE
from opened import Browser, browser, opened

expect: Any = pytest.importorskip("playwright.sync_api").expect

WAIT = DEADLINE * 1000
"""Milliseconds, as Playwright has it."""


@pytest.fixture(scope="module")
def seen() -> Iterator[Browser]:
    with browser() as made:
        made.page.set_viewport_size({"width": 1440, "height": 900})
        made.page.set_default_timeout(WAIT)
        yield made


@pytest.fixture
def page(seen: Browser, tmp_path: Path) -> Iterator[Any]:
    """Of 30 connections; the even ones ordered something, the 8th very often."""
    events: list[ev.Event] = []
    for conn in range(1, 31):
        events.append(rec.handshake(float(conn), conn, f"/ws/{conn % 3}"))
        count = 0 if conn % 2 else 100 if conn == 8 else 1
        for n in range(1, count + 1):
            events.append(rec.text(conn + 0.001 * n, "client", n, f'{{"type":"order","id":{n}}}', conn))
        events.append(rec.end(conn + 0.5, "server", conn=conn))
    with opened(rec.write(tmp_path / "run.jsonl", events)) as link:
        yield seen.open(link)
        assert seen.problems == []
        seen.page.goto("about:blank")


def test_what_was_said_anywhere_is_found_by_keyboard(page: Any) -> None:
    page.locator(".lanes").focus()
    page.keyboard.press("/")
    panel = page.get_by_role("tabpanel", name="Search")
    expect(panel.get_by_label("Text", exact=True)).to_be_focused()
    page.keyboard.type("ORDER")
    expect(panel.get_by_role("status")).to_have_text("114 in 15 connections")
    found = panel.get_by_role("listbox", name="Results by connection")
    found.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".verdict h2")).to_contain_text("#2 ")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".entry h3")).to_have_text("client frame 1: text")
    expect(found.locator("[aria-selected=true] mark")).to_have_text("order")
    expect(page).to_have_url(re.compile(r"#/conn/2/frame/1\?panel=search&all.text=ORDER$"))
    page.reload()
    expect(panel.get_by_role("status")).to_have_text("114 in 15 connections")
    expect(page.locator(".entry h3")).to_have_text("client frame 1: text")


def test_of_many_hits_in_one_connection_the_rest_are_its_own_filter(page: Any) -> None:
    page.get_by_role("button", name="Search").click()
    panel = page.get_by_role("tabpanel", name="Search")
    panel.get_by_label("JSON path").fill("$.type==order")
    expect(panel.get_by_role("status")).to_have_text("114 in 15 connections")
    panel.get_by_text("80 more in #8").click()
    expect(page.locator(".verdict h2")).to_contain_text("#8 ")
    expect(page.locator(".entries .entries-count")).to_have_text("100 of 102")
    panel.get_by_label("JSON path").fill("type")
    expect(panel.get_by_role("status")).to_contain_text("a JSON path begins with $")
    panel.get_by_label("JSON path").fill("$.none")
    expect(panel.get_by_role("status")).to_have_text("Nothing matches.")
