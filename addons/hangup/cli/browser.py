"""The page in the person's browser: opened when that was asked for, and by ``o`` and Enter where nobody else reads.

The link lets in whoever comes with it first, and what a program is started with any user of the machine can read. So
the browser is given a file that only its owner can read, and that leads on to the link. A browser from a snap may not
read such files: it is given the link itself, which is of no use to others where the server can tell its users apart
(:mod:`hangup.net.peer_user`). Where neither is possible that is said.
"""

from __future__ import annotations

import asyncio
import atexit
import html
import os
import secrets
import shutil
import subprocess
import sys
import time
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hangup.cli.screen import tell
from hangup.net import peer_user
from hangup.system import make_private_folder, open_private
from hangup.web.running import folder

LOOK_AGAIN = 1.0
"""Seconds after which a proxy in the background looks whether it has been brought to the foreground."""

READ_WITHIN = 60.0
"""Seconds after which a file that leads to a link has been read, if ever."""

SNAPS = Path("/var/lib/snapd/desktop/applications")

PAGE = """<!doctype html><meta charset="utf-8"><title>hangup</title><meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={link}"><p><a href="{link}">hangup</a>
"""


def open_in_browser(link: str, *, outlived: bool = False) -> None:
    """Opens it, or says that this is not possible. May take a moment: not for an event loop. With ``outlived`` we end
    before the browser has begun."""
    given = link
    if not (_confined() and peer_user.told()):
        try:
            given = _leading(link, outlived).as_uri()
        except (OSError, RuntimeError):
            if not peer_user.told():
                tell("other users of this machine can read the link before the browser opens it, and use it first")
    if not webbrowser.open(given):
        tell("no browser could be started: open the link yourself")


def _leading(link: str, outlived: bool) -> Path:
    """A file, its owner's only, that leads to the link."""
    place = folder() / "links"
    make_private_folder(place)
    for old in place.glob("*.html"):
        with suppress(OSError):
            if time.time() - old.stat().st_mtime > READ_WITHIN:
                old.unlink()
    path = place.resolve() / f"{secrets.token_hex(8)}.html"
    with open_private(path) as file:
        file.write(PAGE.format(link=html.escape(link)).encode())
    if not outlived:
        atexit.register(path.unlink, missing_ok=True)
    return path


def _confined() -> bool:
    """Whether the person's browser is in a snap, as far as that can be told."""
    if sys.platform != "linux" or not SNAPS.is_dir():
        return False
    if named := os.environ.get("BROWSER", "").split(os.pathsep)[0].split():
        return (shutil.which(named[0]) or "").startswith("/snap/")
    try:
        asked = ["xdg-settings", "get", "default-web-browser"]
        said = subprocess.run(asked, capture_output=True, text=True, timeout=5, stdin=subprocess.DEVNULL).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return False
    return bool(said) and "/" not in said and (SNAPS / said).exists()


class Keys:
    """Calls ``on_o`` whenever a person types ``o`` and Enter, from within a running event loop on.

    Listens to a terminal only, and only in the foreground: a job in the background that reads is stopped for it.
    """

    def __init__(self, on_o: Callable[[], None]) -> None:
        self.on_o = on_o
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.TimerHandle | None = None
        self._listens = False
        if sys.platform != "win32" and sys.stdin is not None and os.isatty(0):
            self._listen()

    def close(self) -> None:
        """No more."""
        if self._waiting is not None:
            self._waiting.cancel()
        if self._listens:
            self._loop.remove_reader(0)
            self._listens = False

    def _listen(self) -> None:
        with suppress(NotImplementedError, OSError):
            self._loop.add_reader(0, self._typed)
            self._listens = True

    def _typed(self) -> None:
        if not _foreground():
            self.close()
            self._waiting = self._loop.call_later(LOOK_AGAIN, self._listen)
            return
        try:
            typed = os.read(0, 1024)
        except OSError:
            typed = b""
        if not typed:
            self.close()
        elif typed.strip().lower() == b"o":
            self.on_o()


def _foreground() -> bool:
    try:
        return sys.platform == "win32" or os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
