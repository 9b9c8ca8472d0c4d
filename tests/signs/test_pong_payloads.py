"""Pongs of another payload than their pings': said where they are, and not of what looks like it."""

from __future__ import annotations

from collections.abc import Callable

from hangup.diagnosis.diagnose import diagnose
from hangup.diagnosis.signs import pong_payloads
from hangup.recording.events import Side
from layouts import Line, Tape, greet, header
from signs_seen import Lay, lossy, said_and_silent, says

Play = Callable[[Line], Line]


def played(play: Play, side: Side = "server", count: int = 3) -> Lay:
    """Three connections, each dropped a second after that."""
    return lambda tape: tape.loop(lambda line, n: play(greet(line)).close(side, 1011, "", 1.0), count=count)


def answered_with(payload: bytes, by: Side = "client", pings: int = 2) -> Play:
    other: Side = "server" if by == "client" else "client"

    def play(line: Line) -> Line:
        for n in range(pings):
            line.ping(other, 1.0, payload=b"ping %d" % n).pong(by, payload=payload)
        return line

    return play


def answered(line: Line) -> Line:
    return line.ping(payload=b"1").pong(payload=b"1").ping(after=1.0, payload=b"2").pong(payload=b"2")


def never_answered(line: Line) -> Line:
    return line.ping(payload=b"1").ping(after=1.0, payload=b"2")


def unasked(line: Line) -> Line:
    """A client that answers no ping, and sends pongs by a timer of its own."""
    line.ping(payload=b"1")
    for _ in range(5):
        line.pong(after=0.4)
    return line


def only_the_latest(line: Line) -> Line:
    """One pong for several pings, as RFC 6455 allows."""
    return line.ping(payload=b"1").ping(after=0.5, payload=b"2").pong(payload=b"2")


SPEAKS: dict[str, Lay] = {
    "pongs-carry-another-payload:server": played(answered_with(b"")),
    "pongs-carry-another-payload:client": played(answered_with(b"other", "server"), "client"),
}
SILENT: dict[str, list[Lay]] = {
    "pongs-carry-another-payload": [
        played(answered), played(never_answered), played(unasked), played(only_the_latest),
        played(answered_with(b"", "server")),  # it was not the client that ended these
        lossy(played(answered_with(b""))),
    ],
}  # fmt: skip

test_said, test_silent, test_complete = said_and_silent(pong_payloads, SPEAKS, {**SILENT})


def test_a_file_without_control_frames_says_nothing_of_them() -> None:
    for lacking in ("pings", "payloads"):
        assert not says("pongs-carry-another-payload", played(answered_with(b"")), [lacking])


def test_the_cause_is_named_and_what_to_try_fits_who_pinged() -> None:
    for side, by in (("server", "client"), ("client", "server")):
        tape = Tape()
        played(answered_with(b"", by), side)(tape)  # type: ignore[arg-type]
        report = diagnose(header(), tape.done())
        assert report.verdict == "heartbeat/pong-mismatch", (side, report.verdict)
        assert report.next[0].filter == f"answer-ping side={side} level=control"
