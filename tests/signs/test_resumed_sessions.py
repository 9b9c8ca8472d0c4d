"""Sessions that are gone on with: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from typing import Any

import pytest

from hangup.diagnosis.signs import resumed_sessions
from layouts import HELLO, Line, Tape
from signs_seen import Lay, says, untested

RESUME, IDENTIFY = {"op": "resume", "seq": 42}, {"op": "identify", "name": "ada"}


def session(first: Any = IDENTIFY, rest: Any = RESUME, path: str = "/gateway", lasts: float = 20.0) -> Lay:
    """The first connection, which ends after so long, and three that end soon after their first message."""

    def play(line: Line, n: int) -> None:
        if n == 0:
            tape_of(line).talk(line.client(first, 0.02).server({"op": "ready"}, 0.02), lasts).end("server")
        else:
            line.client(rest, 0.02).close("server", 4000, "", 0.02)

    return lambda tape: tape.loop(play, path, count=4)


def tape_of(line: Line) -> Tape:
    return line.tape


def alike(path: str = "/gateway", first: Any = HELLO, count: int = 3) -> Lay:
    """Connections that all end so."""
    return lambda tape: tape.loop(
        lambda line, n: line.client(first, 0.02).close("server", 4000, "", 0.02), path, count=count
    )


def late(tape: Tape) -> None:
    """What resumes the session is not the client's first message, or crosses the end."""
    tape.loop(lambda line, n: line.client(HELLO, 0.02).client(RESUME, 0.02).close("server", 4000, "", 0.02), count=3)
    for line in [tape.open(30.0 + n).close("server", 4000, "", 0.02) for n in range(3)]:
        line.at -= 0.002
        line.client(RESUME)


def refused(path: str) -> Lay:
    def lay(tape: Tape) -> None:
        for n in range(3):
            tape.open(0.5 + n, path, status=400, response=[])

    return lay


def resumed(path: str = "/gateway", other: str = "", first: Any = HELLO, lasts: float = 20.0) -> Lay:
    """Three that end soon after their first message, and one that lasts."""

    def lay(tape: Tape) -> None:
        alike(path, first)(tape)
        line = tape.open(60.0, other or path).client(first, 0.02).server({"op": "ready"}, 0.02)
        tape.talk(line, lasts).close("client", 1000)

    return lay


SPEAKS: dict[str, Lay] = {
    "client-begins-by-resuming": session(),
    "request-names-a-session": refused("/socket.io/?EIO=4&sid=abc"),
    "first-resumed-nothing-and-stayed-open": session(),
    "first-ended-so-too": alike(),
    "another-resumed-and-stayed-open": resumed(first=RESUME),
}
SPEAKS_TOO: dict[str, Lay] = {
    "client-begins-by-resuming key": alike(first={"type": "hello", "data": {"sessionId": "a"}}),
    "client-begins-by-resuming seq": alike(first={"last_seq": 7}),
    "request-names-a-session cursor": alike("/feed?cursor=abc"),
    "request-names-a-session number": alike("/feed?since=42"),
    "another-resumed-and-stayed-open query": resumed("/gateway?sid=a", "/gateway?sid=b"),
}
SILENT: dict[str, list[Lay]] = {
    "client-begins-by-resuming": [
        alike(), alike(first={"type": "presumed"}), alike(first={"type": "cv", "resumeUrl": "x", "obsession_id": 1}),
        alike(first={"type": "session.update"}), late, alike("/gateway?session_id=a"),
    ],
    "request-names-a-session": [
        alike("/ws?side=left"), alike("/ws?lastname=x"), alike("/ws?sid="), alike("/session/7"), session(),
        *(alike(f"/ws?since={time}") for time in ("2026-11-01T00:00:00Z", "2026-11-01", "2026-11-01T00:00:00+00:00")),
        *(alike(f"/ws?since={time}") for time in ("1700000000", "1700000000123", "1700000000.25")),
    ],
    "first-resumed-nothing-and-stayed-open": [
        session(first=RESUME), session(lasts=0.0), alike(), alike(first=RESUME), session(rest=HELLO),
        session(path="/gateway?session_id=a"),
    ],
    "another-resumed-and-stayed-open": [
        session(), alike(), alike(first=RESUME), resumed(), resumed("/gateway?sid=a", "/gateway"),
        resumed(first=RESUME, lasts=0.0), resumed("/gateway?sid=a", "/elsewhere?sid=a"),
        resumed("/gateway?since=1700000000", "/gateway?since=1700000009"),
    ],
    "first-ended-so-too": [session(), alike(count=1), refused("/ws")],
}  # fmt: skip


@pytest.mark.parametrize("name", SPEAKS | SPEAKS_TOO)
def test_said(name: str) -> None:
    assert says(name.partition(" ")[0], (SPEAKS | SPEAKS_TOO)[name])


@pytest.mark.parametrize(("name", "lay"), [(name, lay) for name, lays in SILENT.items() for lay in lays])
def test_not_said_of_what_looks_alike(name: str, lay: Lay) -> None:
    assert not says(name, lay)


def test_every_sign_is_in_both_tables() -> None:
    assert not untested(resumed_sessions, SPEAKS, SILENT)
