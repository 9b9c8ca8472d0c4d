"""The README's way, all of it: a Vite and React frontend in StrictMode, whose ``.env`` leads to ``/ws`` of a FastAPI
backend, ``hangup run`` between them, and hangup's page; and the same way on the terminal, with the commands that hangup
itself says to type.

The backend ends the connection at the frontend's heartbeat, the frontend opens it again. Screenshots go to the folder
that ``HANGUP_ARTEFACTS`` names, else to the test's own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import suggested
from hangup.experiment.summing_up import UNNAMED
from harness import DEADLINE, browser, node
from harness.programs import Program
from harness.proxies import HANGUP, hangup, home

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect  # noqa: E402

pytestmark = [pytest.mark.real, pytest.mark.slow]

HEARTBEAT = 300
"""Milliseconds from open to the first heartbeat."""
RECONNECT = 300

WAIT = DEADLINE * 1000
"""Milliseconds, as Playwright has it."""


@dataclass
class Stage:
    """What is running. ``app`` is the frontend in the browser, ``page`` hangup's."""

    run: Program
    backend: str
    """Where the backend is, with the path that the variable has."""
    app: Page
    page: Page
    browser: Browser
    shots: Path
    problems: list[str] = field(default_factory=list)
    """Errors that hangup's page had in the browser."""

    def said(self, message: ConsoleMessage) -> None:
        """Of what the page says in the console, errors matter; a browser asks for its icon before it is let in."""
        if message.type == "error" and "favicon" not in message.location["url"]:
            self.problems.append(f"{message.text} {message.location['url']}")

    def keep(self, name: str) -> None:
        browser.keep(self.page, name, self.shots)

    @property
    def drops(self) -> Locator:
        return self.app.get_by_label("Drops")

    @property
    def lanes(self) -> Locator:
        return self.page.get_by_role("listbox", name=re.compile("^Connections"))

    def lane(self, conn: int) -> Locator:
        return self.lanes.get_by_role("option", name=re.compile(rf"^{conn} .ws.client-"))

    def dropped(self) -> int:
        return int(self.drops.inner_text())

    def until_dropped(self, more: int = 1) -> None:
        """Waits until the frontend has lost its connection so many times more."""
        self.app.wait_for_function(
            "least => Number(document.querySelector('[aria-label=Drops]').textContent) >= least",
            arg=self.dropped() + more,
            timeout=WAIT,
        )

    def until_acted(self, times: int) -> None:
        """Waits until the filter in sight has acted so often."""
        self.page.wait_for_function(
            "least => Number(document.querySelector('.hits b')?.textContent ?? 0) >= least", arg=times, timeout=WAIT
        )

    def tab(self, name: str) -> Locator:
        """Opens a panel."""
        panels = self.page.get_by_role("complementary", name="Panels")
        if not panels.is_visible():
            self.page.get_by_role("button", name="Panels").click()
        panels.get_by_role("tablist", name="Panels").get_by_role("tab", name=re.compile(name)).click()
        return panels.get_by_role("tabpanel")


def frontend_run(folder: Path, *options: str, heartbeat: int = HEARTBEAT) -> Program:
    """``hangup run -- npm run dev``, as the README has it; ``folder`` has the ``.env``."""
    environment = {
        "HOME": str(home()),
        "XDG_STATE_HOME": str(home() / "state"),
        "VITE_HEARTBEAT_INTERVAL": str(heartbeat),
        "VITE_RECONNECT_INTERVAL": str(RECONNECT),
        "VITE_CACHE_DIR": str(folder / "vite"),
        "PORT": "0",
    }
    words = [*HANGUP, "run", "--env-dir", str(folder), *options, "--", "npm", "run", "dev"]
    return Program(words, environment=environment, cwd=node.WEB)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    if why := node.problem("vite", "react", "axe-core", folder=node.WEB):
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("end-to-end")
    log = folder / "backend.log"
    with ExitStack() as stack:
        frontend = stack.enter_context(browser.chromium())
        backend = stack.enter_context(Program([sys.executable, str(node.WEB / "backend.py"), "0", str(log)]))
        port = backend.wait_for(r"ready (\d+)")[1]
        options = ["--listen", "127.0.0.1:0", "--web", "127.0.0.1:0", "--record", str(folder / "run.jsonl")]
        (folder / ".env").write_text(f"VITE_WS_BASE=ws://127.0.0.1:{port}/ws\n")
        run = stack.enter_context(frontend_run(folder, *options, "--backend-log", str(log)))
        link = run.wait_for(r"page: (http://\S+)")[1]
        url = run.wait_for(r"Local:\s+(http://\S+)")[1]
        there = frontend.context.browser
        assert there is not None
        context = there.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        found = Stage(run, f"ws://127.0.0.1:{port}/ws", frontend, page, there, folder / "screenshots")
        page.on("pageerror", lambda error: found.problems.append(str(error)))
        page.on("console", found.said)
        page.goto(link)
        expect(page.get_by_role("heading", name="hangup")).to_be_visible(timeout=WAIT)
        frontend.goto(url)
        yield found
        if run.process.poll() is None:
            run.process.terminate()
            run.wait()


def test_the_loop_is_on_the_timeline_within_two_seconds(stage: Stage) -> None:
    """From when the frontend has lost its third connection, by the clock that both pages share."""
    stage.until_dropped(3)
    third = stage.app.evaluate("window.drops[2]")
    expect(stage.page.get_by_role("button", name=re.compile("Loop of"))).to_be_visible(timeout=WAIT)
    assert stage.page.evaluate("Date.now()") - third < 2000
    stage.until_dropped(3)
    expect(stage.lane(3)).to_have_attribute(
        "aria-description",
        re.compile("the server ended it, with a bare FIN and no close frame .*shows 1006.* heartbeat; .*loop"),
        timeout=WAIT,
    )
    assert "closed with 1006" in stage.app.get_by_role("list", name="Log").inner_text(), "which is all that it knows"
    assert not stage.problems


def test_vites_own_socket_goes_past_it(stage: Stage) -> None:
    names = stage.lanes.get_by_role("option").all_inner_texts()
    assert len(names) > 3 and all("/ws/client-" in name for name in names)


def _judged(stage: Stage, name: str) -> None:
    """Looks at the page as it is, light and dark, with axe's eyes, and keeps both pictures."""
    for scheme in ("light", "dark"):
        stage.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        stage.keep(f"{name}-{scheme}")
        found = browser.violations(stage.page, node.WEB / "node_modules" / "axe-core" / "axe.min.js")
        assert not found, f"{name}, {scheme}"
    stage.page.emulate_media(color_scheme="light")


def test_the_timeline_and_a_connection_are_accessible(stage: Stage) -> None:
    stage.until_dropped()
    stage.lane(3).click()
    expect(stage.page.get_by_role("region", name="Connection 3")).to_be_visible(timeout=WAIT)
    expect(stage.page.get_by_role("listbox", name=re.compile("Connection 3|connection 3"))).to_contain_text(
        "KeyError: 'ping'", timeout=WAIT
    )
    expect(stage.tab("Why")).to_contain_text("the backend logged \"KeyError: 'ping'\"", timeout=WAIT)
    stage.page.get_by_role("button", name=re.compile("Loop of")).click()
    _judged(stage, "timeline")
    stage.page.get_by_role("button", name="Follow").click()


def test_test_connection_says_1006_and_the_recorder_who(stage: Stage) -> None:
    """Both ways: through the proxy, and direct, where it ends in the same way."""
    panel = stage.tab("Test Connection")
    panel.get_by_label("Path").fill("/ws/tester")
    panel.get_by_label("Heartbeat").select_option("json")
    panel.get_by_label("every").fill("0.2")
    panel.get_by_role("button", name="Test Connection").click()
    tries = panel.get_by_role("list", name=re.compile("^Attempts")).get_by_role("listitem")
    through = tries.filter(has_text="through the proxy")
    expect(through).to_contain_text(re.compile("The page says.*1006, not clean, after"), timeout=WAIT)
    expect(through).to_contain_text(
        re.compile("wire says.*The server ended it, with a bare FIN and no close frame", re.I), timeout=WAIT
    )
    expect(tries.filter(has_text="direct")).to_contain_text("1006, not clean, after", timeout=WAIT)
    expect(panel).to_contain_text("the proxy is not the cause", timeout=WAIT)
    _judged(stage, "test-connection")
    stage.page.get_by_role("option", name=re.compile("tester")).first.click()
    expect(stage.page.get_by_role("region", name=re.compile("^Connection "))).to_contain_text("tester", timeout=WAIT)


def test_a_filter_that_is_switched_on_stops_the_loop(stage: Stage) -> None:
    panel = stage.tab("Filters")
    panel.get_by_role("button", name="drop-heartbeat side=client").click()
    switch = panel.get_by_role("switch", name="drop-heartbeat side=client")
    expect(switch).to_be_checked(timeout=WAIT)
    stage.until_acted(4)
    dropped = stage.dropped()
    stage.until_acted(8)
    assert stage.dropped() == dropped, "four heartbeats later it is still open"
    expect(stage.app.get_by_label("Connection", exact=True)).to_have_text("open")
    stage.lanes.press("Home")  # to the newest: the one that is selected was scrolled to
    expect(stage.lanes.get_by_role("option").first).to_have_attribute(
        "aria-description", re.compile("open for .*filters acted"), timeout=WAIT
    )
    _judged(stage, "filters")
    switch.click()
    expect(switch).not_to_be_checked(timeout=WAIT)
    stage.until_dropped(2)
    stage.keep("loop-stopped-and-back")
    panel.get_by_role("button", name=re.compile("^Remove")).click()
    expect(panel).to_contain_text("No filter", timeout=WAIT)


def _named(proved: str) -> str:
    """What the page and ``why`` call what was proved: the cause; where it is a law without one, that."""
    return proved if re.fullmatch(r"[a-z-]+/[a-z-]+", proved) else UNNAMED


CLICKS = "addEventListener('click', () => { window.clicks = (window.clicks ?? 0) + 1 }, true)"


def test_from_the_link_to_the_proof_in_markdown(stage: Stage) -> None:
    """In at most five actions, of which opening the link was one."""
    stage.page.goto(stage.page.url.partition("#")[0])
    stage.page.evaluate(CLICKS)
    panel = stage.tab("Bisect")
    panel.get_by_role("button", name="Start", exact=True).click()
    expect(panel.get_by_role("table").first).to_be_visible(timeout=WAIT)
    stage.keep("bisect-under-way")
    headline = panel.locator(".headline.proved")
    expect(headline).to_be_visible(timeout=WAIT)
    expect(panel).to_contain_text(re.compile("heartbeat|message/"))
    panel.get_by_role("button", name="Copy Markdown").click(timeout=WAIT)
    expect(panel).to_contain_text("copied")
    assert stage.page.evaluate("window.clicks") + 1 <= 5
    text = stage.page.evaluate("navigator.clipboard.readText()")
    assert text.startswith(f"**{headline.inner_text()}**")
    assert re.search(r"failed \d+ of \d+ trials with the cause, 0 of \d+ without it", text)
    for name in ("backend", "path", "recorded", "tried"):
        assert re.search(rf"^\| {name} \| `.+` \|$", text, re.M), f"it stands alone, so it names the {name}"
    assert "How to fix it: " in text and "How to reproduce it: `hangup check " in text
    _judged(stage, "bisect")
    assert not stage.problems


def test_the_proof_is_on_the_page_from_then_on(stage: Stage) -> None:
    """Once it is written down beside the recording; and it is in the file to send."""
    panel = stage.tab("Bisect")
    proved = _named(panel.locator(".headline.proved").inner_text().removeprefix("proved: "))
    expect(panel.get_by_role("link", name="Reproducer")).to_be_visible(timeout=WAIT)
    why = stage.tab("Why")
    expect(why.locator(".verdict-name")).to_have_text(re.compile(rf"{proved}\s*proved"), timeout=WAIT)
    expect(why).not_to_contain_text("% sure")
    _judged(stage, "why-proved")
    panel = stage.tab("Bisect")
    with stage.page.expect_download() as download:
        panel.get_by_role("link", name="Report").click()
    report = Path(download.value.path()).read_text(encoding="utf-8")
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', report, re.S)
    assert data is not None
    summary = json.loads(data[1])["summary"]
    assert summary["proved"] and (summary["verdict"] == proved or proved == UNNAMED)
    assert not stage.problems


def test_it_ends_as_a_whole(stage: Stage) -> None:
    stage.run.process.terminate()
    stage.run.wait()
    assert "Traceback" not in stage.run.errors, stage.run.report()
    assert re.search(r"a loop: .*\n", stage.run.errors) and "recording: " in stage.run.errors


def test_by_terminal_with_the_commands_that_hangup_says_to_type(stage: Stage, tmp_path: Path) -> None:
    """From the loop to the proof in Markdown with three commands, the first of which is the README's."""
    (tmp_path / ".env").write_text(f"VITE_WS_BASE={stage.backend}\n")
    options = ["--no-web", "--listen", "127.0.0.1:0", "--record", str(tmp_path / "run.jsonl")]
    with frontend_run(tmp_path, *options, heartbeat=100) as run:
        stage.app.goto(run.wait_for(r"Local:\s+(http://\S+)")[1])
        stage.app.wait_for_function("() => (window.drops ?? []).length >= 3", timeout=WAIT)
        run.process.terminate()
        run.wait()
    typed = {words[0]: words for words in map(suggested.words_of, suggested.commands_in(run.errors))}
    assert set(typed) == {"show", "why", "bisect"}, run.errors

    assert "loop: " in _typed(tmp_path, typed["show"]).stdout
    why = _typed(tmp_path, typed["why"])
    assert [words for words in map(suggested.words_of, suggested.commands_in(why.stdout)) if words[0] == "bisect"] == [
        typed["bisect"]
    ], "and why says the same as the run's end"

    bisect = _typed(tmp_path, typed["bisect"])
    found = re.search(r"^proved: (.+)$", bisect.stdout, re.M)
    assert found is not None, bisect.stdout
    proved = _named(found[1])
    passed_on = {words[0]: words for words in map(suggested.words_of, suggested.commands_in(bisect.stdout))}
    markdown = _typed(tmp_path, passed_on["why"])
    assert proved == UNNAMED or f"| cause | `{proved}` |" in markdown.stdout
    assert "Proved by experiment: " in markdown.stdout and "Stays open with `" in markdown.stdout
    _typed(tmp_path, passed_on["convert"])
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Proved by experiment" in report and (proved in report or proved == UNNAMED)


def _typed(folder: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    """A command as it was copied from hangup's output."""
    return hangup(*words, cwd=folder, environment={"COLUMNS": "300"})
