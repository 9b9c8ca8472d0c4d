"""Two connections compared on the page."""

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
    with wide_browser() as made:
        yield made


@pytest.fixture
def page(seen: Browser) -> Iterator[Any]:
    with opened(LOOP) as link:
        yield seen.open(link)
        assert seen.problems == []
        seen.page.goto("about:blank")


def test_two_connections_side_by_side(page: Any) -> None:
    page.locator("#lane-3").click()
    page.locator("#lane-1").click(modifiers=["Control"])
    view = page.get_by_role("region", name="Comparison")
    expect(view).to_contain_text("A #3 compared with B")
    expect(view.get_by_role("combobox")).to_have_value("1")
    expect(view.get_by_role("status")).to_contain_text(re.compile(r"\d messages? differs?"))
    expect(view.get_by_role("table", name="Both connections")).to_contain_text("client sent")
    view.get_by_role("combobox").select_option("2")
    expect(view.locator(".differing")).to_contain_text('name "chen" → "farid"')
    expect(page).to_have_url(re.compile(r"#/conn/3\?view=compare&with=2"))
    page.reload()
    expect(view.locator(".differing")).to_contain_text('name "chen" → "farid"')
    view.get_by_role("button", name="#2 frame 1").click()
    expect(page.locator(".verdict h2")).to_contain_text("#2 ")
    expect(page.locator(".entry h3")).to_have_text("client frame 1: text")


@pytest.mark.slow
def test_axe_finds_nothing_serious(page: Any) -> None:
    if why := node.problem("axe-core", folder=node.WEB):
        pytest.skip(why)
    page.get_by_role("tab", name="Compare").click()
    expect(page.get_by_role("table", name="Both connections")).to_be_visible()
    assert not violations(page, node.WEB / "node_modules" / "axe-core" / "axe.min.js")
