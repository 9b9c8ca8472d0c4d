"""Which proxies run: each leaves a small file with the way to it, which only its user can read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from hangup.errors import HangupError


class Running(Struct, kw_only=True):
    """A running proxy: ``listen`` and ``web`` are ``HOST:PORT``, ``started`` is UTC in ISO 8601.

    ``listen`` is empty for a proxy that the system sends its traffic to.
    """

    listen: str
    web: str
    token: str
    target: str = ""
    recording: str = ""
    started: str = ""
    pid: int = 0


def folder() -> Path:
    """Where the files are: the user's own folder for the state of programs."""
    state = os.environ.get("XDG_STATE_HOME")
    if state:
        return Path(state) / "hangup"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "hangup"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "hangup"
    return Path.home() / ".local" / "state" / "hangup"


class StateFile:
    """The file of one proxy, there until :meth:`remove`. Raises :class:`HangupError` when it cannot be written."""

    def __init__(self, running: Running) -> None:
        address = (running.listen or f"web-{running.web}").translate(str.maketrans(":[]", "-__"))
        self.path = folder() / f"proxy-{address}.json"
        self._token = running.token
        new = self.path.with_suffix(f".{running.pid}.new")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                new.unlink()
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            with open(os.open(new, flags, 0o600), "wb") as file:
                file.write(msgspec.json.encode(running))
            new.replace(self.path)
        except (OSError, RuntimeError) as error:  # RuntimeError: there is no home
            reason = getattr(error, "strerror", None) or error
            raise HangupError(f"`hangup filter` will not find this proxy: {self.path}: {reason}") from None

    def remove(self) -> None:
        """Removes the file, unless another proxy has put its own in its place."""
        found = _read(self.path)
        if found is not None and found.token == self._token:
            with suppress(OSError):
                self.path.unlink()


def all_running() -> Iterator[tuple[Path, Running]]:
    """The files there are, newest first; whether their proxies still live is another question."""
    with suppress(OSError, RuntimeError):
        found = [(path, _read(path)) for path in folder().glob("proxy-*.json")]
        known = [(path, running) for path, running in found if running is not None]
        yield from sorted(known, key=lambda item: item[1].started, reverse=True)


def _read(path: Path) -> Running | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Running)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
