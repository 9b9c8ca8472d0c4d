"""Loops on the timeline: folded into one lane each, opened again, and shown when they are named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

import recorded as rec
from hangup.recording import events as ev
from harness import DEADLINE, node
from harness.browser import violations
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


@pytest.fixture(scope="module")
def address(seen: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A loop of 40 connections, one of 4 after it, and 30 others after these."""
    events: list[ev.Event] = [*rec.loop(40), *rec.loop(4, start=400.0, first=41)]
    for conn in range(45, 75):
        at = 410.0 + conn
        events += [rec.handshake(at, conn, f"/other/{conn}"), rec.text(at + 0.1, "client", 1, "hello", conn)]
        events += [rec.close(at + 0.2, "client", 2, conn=conn), rec.close(at + 0.21, "server", 3, conn=conn)]
        events += [rec.end(at + 0.3, "server", conn=conn)]
    with opened(rec.write(tmp_path_factory.mktemp("loops") / "run.jsonl", events)) as link:
        seen.open(link)
        yield seen.page.url.partition("#")[0]


@pytest.fixture
def page(seen: Browser, address: str) -> Iterator[Any]:
    seen.page.goto("about:blank")
    yield seen.open(address)
    assert seen.problems == []


def test_a_long_loop_is_one_lane_that_opens(page: Any) -> None:
    lanes = page.get_by_role("listbox", name="Connections")
    expect(page.locator(".lane-head")).to_contain_text("74 connections")
    page.get_by_role("button", name="Loop of 40").click()
    folded = page.locator("#lane-40")
    expect(folded).to_be_in_viewport()
    expect(folded).to_have_attribute("aria-setsize", "35")
    expect(folded).to_have_attribute("aria-description", re.compile("40 in .*folded, Space opens it"))
    expect(folded).to_contain_text("⟲ 40")
    folded.click()
    expect(page.locator(".verdict h2")).to_contain_text("#40 ")
    lanes.focus()
    page.keyboard.press("Space")
    expect(folded).to_have_attribute("aria-setsize", "74")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".verdict h2")).to_contain_text("#39 ")
    page.locator("#lane-40 .fold").click()
    expect(folded).to_have_attribute("aria-setsize", "35")
    expect(folded).to_have_attribute("aria-selected", "true")
    expect(page.locator(".verdict h2")).to_contain_text("#39 ")


def test_a_short_loop_is_open_and_can_be_folded(page: Any) -> None:
    page.get_by_role("button", name=re.compile(r"^Loop of 4\b")).click()
    expect(page.locator("#lane-43")).to_be_in_viewport()
    page.locator("#lane-44 .fold").click()
    expect(page.locator("#lane-43")).to_have_count(0)
    expect(page.locator("#lane-44")).to_contain_text("⟲ 4")


def test_what_a_button_names_comes_into_sight(page: Any) -> None:
    page.get_by_role("listbox", name="Connections").press("Home")
    page.locator(".lanes-scroller").evaluate("each => { each.scrollTop = each.scrollHeight }")
    expect(page.locator("#lane-74")).not_to_be_in_viewport()
    page.get_by_role("button", name="#74").click()
    expect(page.locator("#lane-74")).to_be_in_viewport()


def test_the_picture_of_a_folded_loop_leads_to_each_connection(page: Any, seen: Browser) -> None:
    page.get_by_role("button", name="Loop of 40").click()
    seen.settle()
    canvas, lane = page.locator(".lanes-canvas").bounding_box(), page.locator("#lane-40").bounding_box()
    found = []
    for share in (0.1, 0.4, 0.7):
        page.mouse.click(canvas["x"] + share * canvas["width"], lane["y"] + lane["height"] / 2)
        found.append(int(re.match(r"#(\d+)", page.locator(".verdict h2").inner_text())[1]))  # type: ignore[index]
    assert found == sorted(set(found)) and 1 < found[0] and found[-1] < 40
    expect(page.locator("#lane-40")).to_have_attribute("aria-selected", "true")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page: Any, seen: Browser, scheme: Any) -> None:
    if why := node.problem("axe-core", folder=node.WEB):
        pytest.skip(why)
    page.emulate_media(color_scheme=scheme)
    found = violations(page, node.WEB / "node_modules" / "axe-core" / "axe.min.js")
    page.get_by_role("button", name="Search").click()
    page.get_by_label("Search all connections").get_by_label("Text", exact=True).fill("hello")
    expect(page.get_by_role("listbox", name="Results by connection")).to_contain_text("hello")
    found += violations(page, node.WEB / "node_modules" / "axe-core" / "axe.min.js")
    assert not found
