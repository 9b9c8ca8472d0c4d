"""The page in the person's browser: opened when that was asked for, and by ``o`` and Enter where nobody else reads."""

from __future__ import annotations

import asyncio
import os
import sys
import webbrowser
from collections.abc import Callable
from contextlib import suppress

from hangup.cli.screen import tell

LOOK_AGAIN = 1.0
"""Seconds after which a proxy in the background looks whether it has been brought to the foreground."""


def open_in_browser(link: str) -> None:
    """Opens it, or says that this is not possible. May take a moment: not for an event loop."""
    if not webbrowser.open(link):
        tell("no browser could be started: open the link yourself")


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
