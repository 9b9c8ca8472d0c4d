"""What Linux, macOS and Windows have each in a way of their own, and how the rest of the program need not care.

Whatever depends on the platform takes it as a parameter, ``sys.platform`` by default, so that each branch can be tried
on any. What has to be asked of the system while programs run is in :mod:`hangup.processes` (signals, job objects, files
that are held) and :mod:`hangup.net` (resets, who is at the other end).
"""

from __future__ import annotations

import os
import shlex
import struct
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

NEW_AND_PRIVATE = os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
"""Flags of :func:`os.open` for a file that must not be there yet; with the mode 0o600 it is its owner's alone. On
Windows the mode says nothing, and the folder's access list is inherited: in a user's own folders that is the user."""


def open_private(path: str | os.PathLike[str]) -> BinaryIO:
    """A new file, its owner's alone, to be written. Raises :class:`OSError`."""
    return open(os.open(path, NEW_AND_PRIVATE | os.O_WRONLY, 0o600), "wb")


@contextmanager
def temporary_path(suffix: str = "") -> Iterator[Path]:
    """Where a private file can be written, and opened again by its name; afterwards it is gone.

    What :class:`tempfile.NamedTemporaryFile` gives cannot be opened a second time on Windows while it is open.
    """
    with tempfile.TemporaryDirectory(prefix="hangup-", ignore_cleanup_errors=True) as folder:
        yield Path(folder, f"copy{suffix}")


def state_folder(
    platform: str = sys.platform, environment: Mapping[str, str] = os.environ, home: Path | None = None
) -> Path:
    """The user's own folder for the state of programs. Raises :class:`RuntimeError` where there is no home."""
    if state := environment.get("XDG_STATE_HOME"):
        return Path(state) / "hangup"
    if platform == "win32" and (local := environment.get("LOCALAPPDATA")):
        return Path(local) / "hangup"
    home = Path.home() if home is None else home
    if platform == "win32":
        return home / "AppData" / "Local" / "hangup"
    if platform == "darwin":
        return home / "Library" / "Application Support" / "hangup"
    return home / ".local" / "state" / "hangup"


def make_private_folder(folder: Path) -> None:
    """Makes a folder and all that is missing above it, each for its owner only. Raises :class:`OSError`.

    ``mkdir(mode, parents=True)`` gives its mode to the last of them alone.
    """
    if not folder.is_dir():
        make_private_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def split_command(command: str, platform: str = sys.platform) -> list[str]:
    """The words of a command line as the platform's shell would split it. Raises :class:`ValueError` for an open quote.

    On Windows a backslash separates folders, a double quote also begins within a word, and a single one is a letter.
    """
    if platform != "win32":
        return shlex.split(command)
    lexer = shlex.shlex(command, posix=True)
    lexer.whitespace_split, lexer.escape, lexer.commenters, lexer.quotes = True, "", "", '"'
    return list(lexer)


def linger_reset(platform: str = sys.platform) -> bytes:
    """SO_LINGER, on, with zero seconds, for ``setsockopt``: closing sends a RST. Windows has 16 bits for each (LINGER
    in winsock.h), the others an int."""
    return struct.pack("HH" if platform == "win32" else "ii", 1, 0)
