"""``hangup run`` while nothing comes through: whether the frontend was built without the variable, and what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

PATIENCE = 10.0
"""Seconds after the command's start without a connection, after which something is said."""

BUILDS = ("dist", "build", "out", ".next/static", ".output/public", "public/build", "www")
"""Where frontends are built to."""

SUFFIXES = (".js", ".mjs", ".html")
FILES = 500
LARGEST = 8 << 20
"""Bytes: larger files are left out."""


def built_with(folder: Path, address: str) -> Path | None:
    """A file of a build below ``folder`` in which the backend's ``address`` (``HOST:PORT`` as the variable has it)
    stands; None when there is none."""
    wanted = address.encode()
    for path in _built(folder):
        try:
            if path.stat().st_size <= LARGEST and wanted in path.read_bytes():
                return path.relative_to(folder)
        except OSError:
            continue
    return None


def _built(folder: Path) -> Iterator[Path]:
    left = FILES
    for name in BUILDS:
        for where, _, files in os.walk(folder / name):
            for file in sorted(files):
                if file.endswith(SUFFIXES):
                    yield Path(where) / file
                    left -= 1
                    if not left:
                        return


def advice(folder: Path, name: str, value: str, through: str) -> str:
    """What to say when no connection came: ``name`` is the variable, ``value`` what it was, and ``through`` what the
    command was given instead."""
    address = value.partition("://")[2].partition("/")[0].partition("?")[0]
    built = built_with(folder, address)
    if built is not None:
        return (
            f"no connection yet, and {built} connects to {address} directly: it was built without hangup. If that is "
            f"what you serve, build it again: {name}={through} npm run build"
        )
    return (
        f"no connection yet: open your app in the browser. If it is open, it does not read {name} "
        "(--env-var names another variable)"
    )
