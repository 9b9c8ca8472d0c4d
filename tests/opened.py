"""A recording on the page: ``hangup open`` and a browser that notes whatever goes wrong in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import DEADLINE
from harness.browser import chromium
from harness.programs import Program
from harness.proxies import HANGUP, home


class Browser:
    """One page in one browser; ``problems`` are the errors of its console and scripts, and what it asked of others."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.problems: list[str] = []
        self.hosts: set[str] = set()
        self._asked: set[Any] = set()
        page.on("console", lambda said: said.type in ("error", "warning") and self.problems.append(said.text))
        page.on("pageerror", lambda error: self.problems.append(f"uncaught: {error}"))
        page.on("dialog", lambda dialog: (self.problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: (self.hosts.add(request.url.split("/")[2]), self._asked.add(request)))
        page.on("requestfinished", lambda request: self._asked.discard(request))
        page.on("requestfailed", lambda request: self._asked.discard(request))

    def open(self, link: str) -> Any:
        """Follows a link that lets in; the page, once it knows what there is."""
        self._asked.clear()
        self.page.goto(link)
        self.page.wait_for_selector(".lane, .timeline .empty:not([role=status])")
        return self.page

    def settle(self) -> None:
        """Waits until nothing is asked of the server any more, and what was answered is drawn."""
        quiet = 0
        while quiet < 2:
            self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            quiet = 0 if self._asked else quiet + 1


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium, as patient as the tests are, or the test is skipped."""
    with chromium() as page:
        from playwright.sync_api import expect  # where there is none, the test was skipped

        page.set_default_timeout(DEADLINE * 1000)
        expect.set_options(timeout=DEADLINE * 1000)  # which else has five seconds of its own
        yield Browser(page)


@contextmanager
def wide_browser(*permissions: str) -> Iterator[Browser]:
    """The same as wide as a developer's screen, with these permissions."""
    with browser() as made:
        made.page.set_viewport_size({"width": 1440, "height": 900})
        made.page.context.grant_permissions(list(permissions))
        yield made


@contextmanager
def opened(recording: Path) -> Iterator[str]:
    """The link of ``hangup open`` for this recording; it works once."""
    command = [*HANGUP, "open", str(recording), "--no-browser", "--web", "127.0.0.1:0"]
    with Program(command, environment={"HOME": str(home()), "COLUMNS": "200"}) as program:
        yield program.wait_for(r"page: (?P<link>http://\S+)")["link"]
