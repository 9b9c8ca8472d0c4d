"""Chromium, driven by Playwright, without a download of its own; and what is looked at and judged in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]


@contextmanager
def chromium(*options: str) -> Iterator[Page]:
    """An empty page of a browser that is started with these ``options`` too; skips the test where there is none."""
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*OPTIONS, *options])
        try:
            yield browser.new_page()
        finally:
            browser.close()


def keep(page: Page, name: str, otherwise: Path, **options: Any) -> Path:
    """A screenshot, in the folder that ``HANGUP_ARTEFACTS`` names, or in the one given."""
    folder = Path(os.environ.get("HANGUP_ARTEFACTS") or otherwise)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    page.screenshot(path=path, **options)
    return path


def violations(page: Page, axe: Path) -> list[str]:
    """What axe (its source is at ``axe``) finds serious or critical on a page as it is now, in words."""
    # Not as a script of the page, whose policy would refuse it.
    page.evaluate(axe.read_text(encoding="utf-8") + ";0")
    results = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{each['id']} ({each['impact']}): {each['help']}: {[node['html'][:200] for node in each['nodes'][:3]]}"
        for each in results["violations"]
        if each["impact"] in ("serious", "critical")
    ]
