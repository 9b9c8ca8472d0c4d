"""Which proxies run: each leaves a small file with the way to it, which only its user can read.

It holds that file for as long as it runs. A file that nobody holds is of a proxy that was killed, and whoever comes
across it removes it.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from hangup.errors import HangupError
from hangup.processes.held_files import hold, is_held
from hangup.system import NEW_AND_PRIVATE, make_private_folder, open_private, state_folder


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
    held: bool = False
    """Whether the proxy holds the file; where it cannot, its end cannot be told from the file."""


def folder() -> Path:
    """Where the files are: the user's own folder for the state of programs."""
    return state_folder()


def own_seed() -> bytes:
    """A secret of the user's own, the same each time; empty where it cannot be kept."""
    try:
        path = folder() / "page.key"
        make_private_folder(path.parent)
        with suppress(FileExistsError):
            with open_private(path) as file:
                file.write(secrets.token_bytes(32))
        found = path.read_bytes()
    except (OSError, RuntimeError):
        return b""
    return found if len(found) == 32 else b""  # another has just made it, and has not written yet


class StateFile:
    """The file of one proxy, there until :meth:`remove`. Raises :class:`HangupError` when it cannot be written."""

    def __init__(self, running: Running) -> None:
        address = (running.listen or f"web-{running.web}").translate(str.maketrans(":[]", "-__"))
        self._held = -1
        try:
            self.path = folder() / f"proxy-{address}.json"
            self._token = running.token
            make_private_folder(self.path.parent)
            for _ in all_running():  # those of proxies that were killed go
                pass
            self._write(running)
        except (OSError, RuntimeError) as error:  # RuntimeError: there is no home
            reason = getattr(error, "strerror", None) or error
            raise HangupError(f"`hangup filter` will not find this proxy: {_folder_name()}: {reason}") from None

    def _write(self, running: Running) -> None:
        new = self.path.with_suffix(f".{running.pid}.new")
        with suppress(FileNotFoundError):
            new.unlink()
        self._held = os.open(new, NEW_AND_PRIVATE | os.O_RDWR, 0o600)
        running.held = hold(self._held)
        os.lseek(self._held, 0, os.SEEK_SET)
        os.write(self._held, msgspec.json.encode(running))
        if sys.platform == "win32":  # where a file that is open cannot be renamed
            self._let_go()
            new.replace(self.path)
            self._held = os.open(self.path, os.O_RDWR)
            hold(self._held)
        else:
            new.replace(self.path)

    def remove(self) -> None:
        """Removes the file, unless another proxy has put its own in its place."""
        found = _read(self.path)
        self._let_go()
        if found is not None and found.token == self._token:
            with suppress(OSError):
                self.path.unlink()

    def _let_go(self) -> None:
        if self._held >= 0:
            os.close(self._held)
            self._held = -1


def _folder_name() -> str:
    """The folder in words, also where there is none."""
    try:
        return str(folder())
    except RuntimeError as error:
        return str(error)


def all_running() -> Iterator[tuple[Path, Running]]:
    """The files there are, newest first; of those that nobody holds, though their proxies did, none is left then.
    Whether the proxies of the others still run is another question."""
    with suppress(OSError, RuntimeError):
        found = [(path, _read(path)) for path in folder().glob("proxy-*.json")]
        known = [(path, running) for path, running in found if running is not None]
        yield from sorted(known, key=lambda item: item[1].started, reverse=True)


def _read(path: Path) -> Running | None:
    """What the file says; None where it says nothing, and where it is left over, which it is not any more then."""
    try:
        with path.open("rb") as file:
            running = msgspec.json.decode(file.read(), type=Running)
            left_over = running.held and not is_held(file.fileno())
            ours = os.fstat(file.fileno()).st_ino
        if left_over:
            if path.stat().st_ino == ours:  # and nobody has put another in its place meanwhile
                path.unlink()
            return None
        return running
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
