"""Recordings in which nothing dropped: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from typing import Any

import pytest

from hangup.diagnosis.signs import healthy
from hangup.recording.events import Handshake, Log
from layouts import Line, Tape, greet
from signs_seen import Lay, lossy, said_and_silent, says

CHAT, PING = {"type": "chat"}, {"type": "ping"}


def fine(
    seconds: float = 5.0, code: int | None = None, side: Any = "client", what: Any = CHAT, by: Any = "client"
) -> Lay:
    """One connection, on which something is said; it may be closed after so many seconds."""

    def lay(tape: Tape) -> None:
        line = greet(tape.open(0.5)).say(by, what, 0.3)
        line.at = 0.5 + seconds
        line.close(side, code) if code else line.server(CHAT)

    return lay


def dropped(tape: Tape) -> None:
    tape.loop(lambda line, n: greet(line).wait(3.0).end("server"), count=3)


def refused(tape: Tape) -> None:
    fine()(tape)
    tape.open(9.0, "/other", status=403)


def two(first: str, second: str, pause: float = 10.0) -> Lay:
    """Two clients, one after the other, of which each leaves, is done, or stays."""

    def lay(tape: Tape) -> None:
        for n, what in enumerate((first, second)):
            line = greet(tape.open(0.5 + n * pause, f"/{n}")).wait(4.0)
            line.client(CHAT, 9.0) if what == "stays" else line.close("client" if what == "leaves" else "server", 1000)

    return lay


def ended_by_a_filter(then: bool = False) -> Lay:
    def lay(tape: Tape) -> None:
        line = greet(tape.open(0.5)).wait(4.0)
        line.end("server", by="close-after 4s")
        if then:
            tape.talk(greet(tape.open(line.at + 0.1)), 5.0)

    return lay


def without_the_handshake(tape: Tape) -> None:
    fine(1.0)(tape)
    tape.events = [event for event in tape.events if not isinstance(event, Handshake)]


def left_after(play: Any) -> Lay:
    return lambda tape: play(tape.talk(greet(tape.open(0.5)), 3.0)).close("client", 1000)


def unanswered(line: Line) -> Line:
    return line.client(PING, 0.5).wait(2.0)


def answered(line: Line) -> Line:
    return line.client(PING, 0.5).server({"type": "pong"}, 0.01).wait(2.0)


def odd_to_read(what: Any, after: float = 0.01) -> Any:
    return lambda line: line.server(what, 0.5).wait(after)


def logged(text: str) -> Lay:
    def lay(tape: Tape) -> None:
        fine()(tape)
        tape.events.append(Log(at=2.0, text=text))

    return lay


LARGE = {"type": "rows", "rows": ["x" * 70_000]}
FAILED = {"type": "reply", "error": "no such room"}
SPEAKS: dict[str, Lay] = {
    "no-connection-dropped": fine(),
    "open-for-long": fine(),
    "no-connection-open": fine(1.0),
    "reopened-by-the-client": ended_by_a_filter(then=True),
    "no-connection-reopened": fine(),
    "all-finished": two("finishes", "finishes"),
    "all-left": two("leaves", "leaves"),
    "left-in-the-middle": left_after(unanswered),
    "ended-filter": ended_by_a_filter(),
    "errors-told-and-nothing-ended": fine(what=FAILED, by="server"),
}
SILENT: dict[str, list[Lay]] = {
    "no-connection-dropped": [dropped, refused],
    "open-for-long": [fine(1.0), dropped],
    "no-connection-open": [fine(), without_the_handshake, dropped],
    "reopened-by-the-client": [fine(), ended_by_a_filter(), two("leaves", "leaves"), dropped],
    "no-connection-reopened": [ended_by_a_filter(then=True), dropped],
    "all-finished": [two("finishes", "leaves"), two("finishes", "stays"), fine(), fine(1.0, 1000, "server")],
    "all-left": [two("finishes", "leaves"), two("leaves", "stays"), fine()],
    "left-in-the-middle": [
        left_after(answered), left_after(odd_to_read(CHAT)), left_after(odd_to_read(LARGE)),
        left_after(odd_to_read("x", 3.0)),
        left_after(odd_to_read(b"\x00")), lossy(left_after(unanswered)), fine(), fine(5.0, 1000, "server"),
    ],
    "ended-filter": [fine(), two("leaves", "finishes")],
    "errors-told-and-nothing-ended": [
        fine(), fine(what={"type": "reply", "error": None}, by="server"), fine(what={"type": "no_error"}, by="server"),
        fine(what={"type": "reply", "error": False, "id": 1}, by="server"), fine(what=LARGE), fine(what=b"\x00\x01"),
        logged("started with 0 errors"), logged("INFO: 12 messages, no error"), logged("error=None"), dropped,
    ],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(healthy, SPEAKS, SILENT)


@pytest.mark.parametrize(
    "lay",
    [
        fine(what={"type": "error"}, by="server"), fine(what="not json"),
        logged("ERROR: Exception in ASGI application"),
        logged("Traceback (most recent call last):\n  File x\nKeyError: 'room'"),
    ],
)  # fmt: skip
def test_errors_may_be_told_in_several_ways(lay: Lay) -> None:
    assert says("errors-told-and-nothing-ended", lay)


def test_odd_text_among_json_is_a_reason_to_leave() -> None:
    assert says("left-in-the-middle", left_after(odd_to_read("oops")))
