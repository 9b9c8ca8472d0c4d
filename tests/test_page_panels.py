"""The panels that drive the proxy, in Chromium, between the demo's FastAPI backend and a client in its loop."""

from __future__ import annotations

import asyncio
import random
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from hangup.demo import frontend
from hangup.demo.backend import BACKEND
from hangup.errors import FilterError
from hangup.filters.tokenizer import split
from hangup.web.client import Remote
from harness import DEADLINE, browser, node
from harness.programs import Program
from harness.proxies import HangupProxy
from harness.remotes import remote_of

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import Locator, Page, expect  # noqa: E402

pytestmark = pytest.mark.real

WAIT = DEADLINE * 1000
"""Milliseconds, as Playwright has it."""

MARKUP = "<img src=x onerror=alert(1)>"


@dataclass
class Stage:
    """``page`` is hangup's; a client loops beside it."""

    page: Page
    proxy: HangupProxy
    remote: Remote
    problems: list[str] = field(default_factory=list)

    def tab(self, name: str) -> Locator:
        self.page.get_by_role("tablist", name="Panels").get_by_role("tab", name=re.compile(name)).click()
        return self.page.get_by_role("tabpanel", name=re.compile(name))

    def newest(self) -> dict[str, Any]:
        connections: list[dict[str, Any]] = self.remote.get("connections")["connections"]
        return connections[-1]

    def filters(self) -> list[tuple[str, bool]]:
        return [(each["filter"], each["on"]) for each in self.remote.get("filters")["filters"]]


class Looping(threading.Thread):
    """The demo's frontend in a thread."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.loop = asyncio.new_event_loop()
        self.task: asyncio.Task[None] | None = None

    def run(self) -> None:
        self.task = self.loop.create_task(frontend.frontend(self.url))
        with pytest.raises(asyncio.CancelledError):
            self.loop.run_until_complete(self.task)
        self.loop.close()

    def __enter__(self) -> Looping:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.task is not None
        self.loop.call_soon_threadsafe(self.task.cancel)
        self.join()


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    command = [sys.executable, "-m", "uvicorn", "--factory", BACKEND, "--port", "0"]
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setattr(frontend, "HEARTBEAT", 0.15)
        patch.setattr(frontend, "RECONNECT", 0.1)
        first = stack.enter_context(browser.chromium())
        backend = stack.enter_context(Program(command))
        port = backend.wait_for(r"running on http://127\.0\.0\.1:(\d+)")[1]
        proxy = stack.enter_context(HangupProxy(f"ws://127.0.0.1:{port}"))
        proxy.wait_for("control on")
        stack.enter_context(Looping(f"{proxy.url}/ws/client-1"))
        assert first.context.browser is not None
        options: Any = {
            "viewport": {"width": 1280, "height": 900},
            "permissions": ["clipboard-read", "clipboard-write"],
        }
        page = first.context.browser.new_context(**options).new_page()
        page.set_default_timeout(WAIT)
        stage = Stage(page, proxy, remote_of(proxy))
        page.on("pageerror", lambda error: stage.problems.append(str(error)))
        page.on("dialog", lambda dialog: (stage.problems.append("a dialog"), dialog.dismiss()))
        page.goto(stage.remote.post("link")["link"])
        yield stage


@pytest.fixture(autouse=True)
def sound(stage: Stage) -> Iterator[None]:
    yield
    stage.remote.post("filters/clear")
    assert not stage.problems


def test_a_filter_that_is_switched_on_stops_the_loop(stage: Stage) -> None:
    panel = stage.tab("Filters")
    field = panel.get_by_role("combobox", name="A filter to add")
    field.fill("drop-heart")
    expect(field).to_have_attribute("aria-expanded", "true")
    field.press("ArrowDown")
    field.press("Enter")
    field.press_sequentially("si")
    expect(panel.get_by_role("option", name=re.compile("^side="))).to_be_visible()
    field.press("ArrowDown")
    field.press("Enter")
    field.press_sequentially("cl")
    field.press("Tab")
    expect(field).to_have_value("drop-heartbeat side=client ")
    field.press("Enter")
    switch = panel.get_by_role("switch", name="drop-heartbeat side=client")
    expect(switch).to_be_checked()
    expect(panel.locator(".hits")).to_have_text(re.compile(r"^([5-9]|\d\d+)×$"), timeout=WAIT)
    held = stage.newest()
    assert held["lifetime"] is None and held["actions"] >= 2, "it outlives what it died of"
    switch.click()
    expect(switch).not_to_be_checked()
    assert stage.filters() == [("drop-heartbeat side=client", False)]
    stage.page.wait_for_function(
        "conn => document.querySelector('.lanes')?.textContent.includes(conn)", arg=f"{held['conn'] + 2}"
    )
    switch.focus()
    stage.page.keyboard.press("Space")
    expect(switch).to_be_checked()
    panel.get_by_role("button", name="Remove drop-heartbeat").click()
    expect(switch).to_have_count(0)
    assert stage.filters() == []


def test_what_is_wrong_is_marked_where_it_is(stage: Stage) -> None:
    panel = stage.tab("Filters")
    field = panel.get_by_role("combobox", name="A filter to add")
    field.fill(f"drop text='{MARKUP} 😀' sid=client")
    expect(panel.locator("mark")).to_have_text("sid=client")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.press("Escape")
    field.press("Enter")
    expect(panel.locator(".said .error")).to_contain_text("did you mean side?")
    assert stage.filters() == []
    field.fill(f"drop text='{MARKUP}' side=client")
    expect(field).to_have_attribute("aria-invalid", "false")
    panel.get_by_role("button", name="Add").click()
    expect(panel.locator(".filters code")).to_contain_text(MARKUP)


def test_a_filter_is_edited_in_its_place(stage: Stage) -> None:
    stage.remote.post("filters/add", filter="drop text=a", on=False)
    stage.remote.post("filters/add", filter="drop text=b")
    panel = stage.tab("Filters")
    panel.get_by_role("button", name="Edit drop text=a").click()
    field = panel.get_by_role("combobox", name="Edit drop text=a")
    expect(field).to_be_focused()
    field.fill("drop text=c side=nobody")
    panel.get_by_role("button", name="Save").click()
    expect(panel.locator("mark")).to_have_text("side=nobody")
    field.fill("drop text=c")
    field.press("Enter")
    expect(panel.get_by_role("switch", name="drop text=c")).not_to_be_checked()
    assert stage.filters() == [("drop text=c", False), ("drop text=b", True)]
    edit = panel.get_by_role("button", name="Edit drop text=b")
    edit.click()
    expect(panel.get_by_role("combobox", name="Edit drop text=b")).to_be_focused()
    stage.page.keyboard.press("Escape")
    expect(panel.get_by_role("switch", name="drop text=b")).to_be_visible()
    expect(edit).to_be_focused()


def test_the_page_says_1006_and_the_wire_says_who(stage: Stage) -> None:
    panel = stage.tab("Test Connection")
    expect(panel.get_by_label("Path")).to_have_value("/ws/client-1")
    expect(panel).to_contain_text(re.compile(r"Heartbeat and first messages are taken from connection \d+"))
    expect(panel.get_by_label("Heartbeat")).to_have_value("text")
    # 0.15 s is what the client waits. A busy machine makes it longer; 1 is what stands there where nothing is known.
    expect(panel.get_by_label("every")).to_have_value(re.compile(r"^0\.[1-9]\d*$"))
    expect(panel.get_by_label("Messages")).to_have_value(re.compile(r'^\{"type":'))
    panel.get_by_label("Heartbeat").select_option("text")
    panel.get_by_label("every").fill("0.5")  # so that a second one does not come before the end that the first brings
    panel.get_by_label("Attempts", exact=True).fill("2")
    panel.get_by_label("Messages").fill(f'{{"type":"{MARKUP}"}}')
    panel.get_by_role("button", name="Test Connection").click()
    first = panel.get_by_role("list", name="Attempts").get_by_role("listitem").filter(has_text="#1")
    expect(first.locator(".page-says")).to_have_text(re.compile(r"^1006, not clean, after [\d.]+ m?s$"))
    expect(first.locator(".wire-says")).to_have_text(
        re.compile(
            r"^the server ended it, with a bare FIN and no close frame \(a browser shows 1006\), .* after client frame"
        )
    )
    conn = int(first.get_by_role("button", name=re.compile("connection")).inner_text().split()[1])
    expect(panel.get_by_text("It ends the same way without the proxy")).to_be_visible()
    expect(panel.get_by_role("button", name="Test Connection")).to_be_visible()
    sums = panel.get_by_role("table")
    expect(sums.get_by_role("row", name=re.compile("through the proxy"))).to_contain_text("1006 (2×)")
    expect(sums.get_by_role("row", name=re.compile("direct"))).to_contain_text("2 of 2")
    log = panel.get_by_role("log")
    expect(log).to_contain_text(f'{{"type":"ack","of":"{MARKUP}"}}')
    expect(log).to_contain_text("code 1006, wasClean false")
    sent = next(c for c in stage.remote.get("connections")["connections"] if c["conn"] == conn)
    assert sent["frames"]["client"] == 2 and sent["ending"]["by"] == "server", "it is that connection, not the loop's"


def test_a_refused_origin_is_explained(stage: Stage) -> None:
    stage.remote.post("filters/add", filter="refuse 403")
    panel = stage.tab("Test Connection")
    panel.get_by_label("for comparison").uncheck()
    panel.get_by_label("Attempts", exact=True).fill("1")
    panel.get_by_role("button", name="Test Connection").click()
    newest = panel.get_by_role("list", name="Attempts").get_by_role("listitem").first
    expect(newest.locator(".page-says")).to_contain_text("1006, not clean; it did not open")
    expect(newest.locator(".wire-says")).to_contain_text("403")
    expect(newest).to_contain_text(f"whose Origin is http://{stage.remote.running.web}")
    newest.get_by_role("button", name="Switch on").click()
    expect(newest).to_contain_text("It is on")
    assert stage.filters()[-1] == ("origin", True)


def test_the_bisect_panel_proves_the_cause(stage: Stage) -> None:
    panel = stage.tab("Bisect")
    panel.get_by_role("button", name="Start").click()
    expect(panel.get_by_role("button", name="Stop")).to_be_visible()
    expect(panel.get_by_role("table", name="The ladder")).to_be_visible(timeout=WAIT)
    budget = panel.locator(".budget")
    expect(budget).to_contain_text(re.compile(r"Still to do: .*, about \d+ more connections?, "), timeout=WAIT)
    expect(budget).to_contain_text(re.compile(r"at most \d+ connections? and \d.* are left"))
    expect(panel.locator(".headline")).to_have_text("proved: heartbeat/app-ping-kills", timeout=WAIT)
    expect(stage.page).to_have_title(re.compile("^✓ proved: heartbeat/app-ping-kills"))
    claim = re.compile(r"failed \d+ of \d+ trials with the cause, 0 of \d+ without it \(p ")
    expect(panel.locator(".claim")).to_have_text(claim)
    rung = panel.get_by_role("row", name=re.compile("client heartbeats blocked"))
    expect(rung).to_contain_text("stayed open")
    expect(panel.locator(".standing li")).to_have_count(0)  # the others are ruled out, and this one needs no odds
    panel.get_by_role("button", name="Copy Markdown").click()
    expect(panel.get_by_text("copied")).to_be_visible()
    copied = stage.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("**proved: heartbeat/app-ping-kills**") and "drop-heartbeat side=client" in copied
    expect(panel.get_by_text("(empty, text)")).to_be_visible(timeout=WAIT)
    with stage.page.expect_download() as download:
        panel.get_by_role("link", name="Reproducer").click()
    assert download.value.suggested_filename == "reproduce.py"
    assert re.search(r"MESSAGES = \[\([\d.]+, ''\)\]", download.value.path().read_text())
    panel.get_by_role("button", name="Switch on").click()
    expect(panel.locator(".cure .chip")).to_have_text("on")
    assert stage.filters() == [("drop-heartbeat side=client", True)]


def test_a_bisect_is_stopped_and_what_was_asked_wrongly_is_said(stage: Stage) -> None:
    panel = stage.tab("Bisect")
    panel.get_by_role("button", name="Again…").click()
    panel.get_by_text("Options").click()
    panel.get_by_label("The failure to look for").fill("code=abc")
    panel.get_by_role("button", name="Start").click()
    expect(panel.get_by_role("alert")).to_contain_text("code=abc")
    panel.get_by_label("The failure to look for").fill("code=4999")
    panel.get_by_role("button", name="Start").click()
    expect(panel.locator(".headline")).to_contain_text("Waiting for two connections")
    panel.get_by_role("button", name="Stop").click()
    expect(panel.locator(".headline")).to_contain_text("no two connections failed alike")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(stage: Stage, scheme: Any) -> None:
    if why := node.problem("axe-core", folder=node.WEB):
        pytest.skip(why)
    axe = node.WEB / "node_modules" / "axe-core" / "axe.min.js"
    stage.page.emulate_media(color_scheme=scheme)
    stage.remote.post("filters/add", filter="drop text=a")
    stage.remote.post("filters/add", filter="drop text=b", on=False)
    panel = stage.tab("Filters")
    panel.get_by_role("combobox", name="A filter to add").fill("drop si")
    expect(panel.get_by_role("option").first).to_be_visible()
    found = browser.violations(stage.page, axe)
    for name in ("Test Connection", "Bisect"):
        stage.tab(name)
        expect(stage.page.locator(".test-form, .bisect, .bisect-form")).to_be_visible()
        found += browser.violations(stage.page, axe)
    assert not found


def test_the_page_splits_a_text_as_the_server_does(stage: Stage) -> None:
    draw = random.Random(7)
    pieces = ["drop", "side=", "client", " ", "  ", '"a b"', "'c d'", "{", "}", "[1, 2]", '{"x": "y z"}', "text="]
    pieces += ["=", "\\", '"', "'"]
    texts = ["".join(draw.choices(pieces, k=draw.randrange(1, 9))) for _ in range(2000)]
    home = re.split("open[?]|#", stage.page.url)[0]
    source = f"{home}page/completion.js"
    theirs = stage.page.evaluate(
        "async ([source, texts]) => { const { words } = await import(source); return texts.map((t) => words(t)); }",
        [source, texts],
    )
    compared = 0
    for text, found in zip(texts, theirs, strict=True):
        try:
            ours = split(text)
        except FilterError:
            continue
        compared += 1
        assert [(w["start"], w["end"], w["key"]) for w in found] == [(*w.span, w.key) for w in ours], text
    assert compared > 500
