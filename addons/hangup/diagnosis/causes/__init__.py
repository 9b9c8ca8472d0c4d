"""The causes: one file each, in a folder for its category, with all that is said of it in one place.

``intermediary/idle-timeout`` is ``intermediary/idle-timeout.toml``. docs/CREATING_CAUSES.md says how to write one;
:class:`Cause` has the fields. A folder named in ``HANGUP_CAUSES`` is read as well.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from hangup.errors import HangupError

Kind = Literal["message", "control", "header", "age", "idle", "count", "rate", "connection", "event", "none"]
Place = Literal["application", "library", "process", "intermediary", "client", "none"]

FOLDERS = "HANGUP_CAUSES"

ANY = "any"
HEARTBEAT = ", heartbeat"
"""What stands after a name in ``[fix]`` where the advice is for a heartbeat alone."""
BY_CLIENT = ", ended by the client"
"""The same where it is for what the client ended."""


class Next(Struct, frozen=True, forbid_unknown_fields=True):
    """What to try. ``filter`` is a filter's text form, or ``{…}`` with the name of one that is made from the recording
    (:mod:`hangup.diagnosis.steps`); ``tells`` says what its success would show."""

    filter: str
    tells: str


class Prediction(Struct, frozen=True, forbid_unknown_fields=True):
    """What a cause predicts of the interventions of ``hangup bisect``, by their names: with those that it ``survives``
    the connection stays open, of the ``unsure`` nothing is known, and with all others it ends. ``cures`` are those of
    the unsure whose success shows the cause taken away all the same. ``trigger`` is what ends it."""

    trigger: Literal["frame", "control", "header", "time", "count", "rate", "peer", "none"]
    survives: list[str] = []
    unsure: list[str] = []
    cures: list[str] = []


class Cause(Struct, frozen=True, forbid_unknown_fields=True):
    """A cause. ``verdict`` is its name, from the file's."""

    sentence: str
    """What it is, in a sentence without its full stop."""
    trigger: Kind
    """What makes the connection end: a ``message``, a ``control`` frame, a ``header`` of the handshake, its ``age``, an
    ``idle`` time, a ``count``, a ``rate``, another ``connection``, an ``event`` at the other side, or ``none``."""
    place: Place
    """Where to fix it."""
    proof: str
    """What would prove it; or that no experiment can, and what to look at instead."""
    closers: tuple[str, ...] = ("server", "client")
    """Who can end the connection."""
    property: str = ""
    """What it is about the trigger: ``not JSON``, ``a missing field``, ``its size``; empty for none."""
    needs: Literal["", "open", "traffic", "client-message", "other-pong", "never-served"] = ""
    """What must have been there: an open connection, something sent over it, a message of the client; ``other-pong``: a
    pong with another payload than its ping's, where the server ended it, else anything sent; ``never-served``: no
    request for the same route was accepted, but through a filter."""
    suggests: list[str] = []
    """Signs of which one at least must be there for the cause to be considered; they speak for it."""
    supports: list[str] = []
    """Other signs that speak for it."""
    against: list[str] = []
    """Signs that speak against it."""
    said: dict[str, float] = {}
    """Phrases that speak for it: 1 for what is said in so many words, less for what may be meant, negative for what
    speaks against it. They suggest it, too."""
    next: Next | None = None
    fix: dict[str, str] = {}
    """What to change: by the server, protocol or proxy; ``any`` for all others. That of ``any, heartbeat`` (or
    ``uvicorn, heartbeat``) is for where the client's last message was a heartbeat, that of ``any, ended by the client``
    for where the client ended it; they come first there."""
    replay: Prediction | None = None
    """What it predicts when ``hangup bisect`` plays the client against the server."""
    in_message: Prediction | None = None
    """The same where it is a message that says what a handshake may say as well."""
    page: Prediction | None = None
    """The same where the client closes, and is tried itself: a recorded server, or filters before a live page."""
    examples: list[str] = []
    """Recordings or faults that are of this cause."""
    counterexamples: list[str] = []
    """Such as look like it and are not."""
    verdict: str = ""

    def advice(self, names: Iterable[str], *, heartbeat: bool = False, by_client: bool = False) -> str:
        """What to change where these servers, protocols and proxies were recognised, the most telling first; empty
        where the cause does not say. ``heartbeat`` is whether a heartbeat was the last message, ``by_client`` whether
        the client ended it."""
        keys = [*names, ANY]
        special = [*[BY_CLIENT] * by_client, *[HEARTBEAT] * heartbeat]
        for key in [*(key + where for where in special for key in keys), *keys]:
            if key in self.fix:
                return self.fix[key]
        return ""


def folders() -> list[Path]:
    """Where causes are read from."""
    return [Path(__file__).parent, *map(Path, filter(None, os.environ.get(FOLDERS, "").split(os.pathsep)))]


def load(*sources: Path) -> dict[str, Cause]:
    """All causes in these folders, by verdict, in order. Raises :class:`HangupError` for a file that is none."""
    found = {}
    for source in sources:
        for path in sorted(source.glob("*/*.toml")):
            verdict = f"{path.parent.name}/{path.stem}"
            try:
                cause = msgspec.toml.decode(path.read_bytes(), type=Cause)
            except (OSError, ValueError, msgspec.MsgspecError) as error:
                raise HangupError(f"{path}: {error}") from error
            found[verdict] = msgspec.structs.replace(cause, verdict=verdict)
    return found


@cache
def _known(sources: tuple[Path, ...]) -> dict[str, Cause]:
    return load(*sources)


def known() -> dict[str, Cause]:
    """The causes that there are, by verdict."""
    return _known(tuple(folders()))
