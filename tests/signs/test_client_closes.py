"""How clients close: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from hangup.diagnosis.signs import client_closes
from hangup.recording.events import End, Frame, Handshake, Raw, Side
from layouts import HELLO, Line, Tape, greet
from signs_seen import Lay, lossy, said_and_silent, says


def opening(*problems: str, count: int = 3, fine: int = 0, side: Side = "client", offered: str = "") -> Lay:
    """The handshake fails some checks, and it ends at once; then come as many fine ones."""

    def lay(tape: Tape) -> None:
        request = [("Sec-WebSocket-Protocol", offered)] if offered else []
        for n in range(count + fine):
            failed = problems if n < count else ()
            tape.open(0.5 + 0.6 * n, problems=failed, request=request).close(side, 4000, "", 0.02)

    return lay


def close(code: int | None = 4000, reason: str = "", side: Side = "client", after: float = 1.0, count: int = 3) -> Lay:
    return lambda tape: tape.loop(lambda line, n: greet(line).close(side, code, reason, after), count=count)


def cut(side: Side = "client", by: str = "", how: Any = "fin") -> Lay:
    return lambda tape: tape.loop(lambda line, n: greet(line).end(side, how, 1.0, by), count=3)


def cut_within_a_frame(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        greet(line).wait(1.0)
        tape.events.append(Raw(at=line.at, conn=line.conn, side="client", text="x", problems=("half-frame",)))
        line.end("client", after=0.001)

    tape.loop(play, count=3)


def mixed(tape: Tape) -> None:
    codes = (1000, 4000, 1000)
    tape.loop(lambda line, n: greet(line).close("client", codes[n], "", 1.0), count=3)


def malformed_close(tape: Tape) -> None:
    close(None)(tape)
    for event in tape.events:
        if isinstance(event, Frame) and event.opcode == "close" and event.side == "client":
            event.base64, event.problems = b"\x03", ("close-one-byte",)


def close_not_kept(tape: Tape) -> None:
    close(None)(tape)
    for event in tape.events:
        if isinstance(event, Frame) and event.opcode == "close":
            event.length, event.text, event.base64, event.code, event.reason = 9, None, None, None, None


def without_the_handshake(lay: Lay) -> Lay:
    """The recording began later."""

    def later(tape: Tape) -> None:
        lay(tape)
        tape.events = [event for event in tape.events if not isinstance(event, Handshake)]

    return later


def greeted(side: Side = "server", after: float = 0.02, **more: Any) -> Lay:
    return lambda tape: tape.loop(
        lambda line, n: line.say(side, HELLO, 0.005, **more).close("client", 4000, "", after), count=3
    )


def silent(after: float) -> Lay:
    return lambda tape: tape.loop(lambda line, n: line.close("client", 4000, "", after), count=3)


def again(pause: float, side: Side = "client", count: int = 3) -> Lay:
    def lay(tape: Tape) -> None:
        tape.delay = pause
        close(side=side, count=count)(tape)

    return lay


def beside(count: int, rounds: int = 1, side: Side = "client") -> Lay:
    """So many at once, once or again."""

    def lay(tape: Tape) -> None:
        for n in range(rounds):
            for _ in range(count):
                greet(tape.open(0.5 + 3.0 * n)).close(side, 4000, "", 1.0)

    return lay


def frames(problems: Sequence[str], side: Side = "server", **more: Any) -> Lay:
    return lambda tape: tape.loop(
        lambda line, n: greet(line).say(side, "x", 0.5, problems=tuple(problems), **more).close("client", 1002), count=3
    )


def malformed_and_cut(side: Side) -> Lay:
    return lambda tape: tape.loop(
        lambda line, n: greet(line).say(side, "x", 0.5, problems=("rsv",)).end("client"), count=3
    )


def malformed_answer(tape: Tape) -> None:
    close(1000)(tape)
    for event in tape.events:
        if isinstance(event, Frame) and event.opcode == "close" and event.side == "server":
            event.problems = ("close-code",)


def stray_bytes(side: Side = "server", after: float = 0.0) -> Lay:
    def play(tape: Tape, line: Line, n: int) -> None:
        greet(line).wait(0.5)
        tape.events.append(Raw(at=line.at + after, conn=line.conn, side=side, text="x", problems=("not-a-frame",)))
        line.close("client", 1002, "", 0.01)

    return lambda tape: tape.loop(lambda line, n: play(tape, line, n), count=3)


def crossing(tape: Tape) -> None:
    """The client cuts, and the server's close frame crosses that."""

    def play(line: Line, n: int) -> None:
        greet(line).wait(1.0)
        tape.events.append(End(at=line.at, conn=line.conn, side="client", how="fin"))
        line.close("server", 1000, "", 0.001)

    tape.loop(play, count=3)


ECHO, PARAMS = "subprotocol-not-echoed", "extension-params"
SPEAKS: dict[str, Lay] = {
    "response-breaks-the-handshake:subprotocol": opening(ECHO, offered="chat"),
    "response-breaks-the-handshake:extension": opening(PARAMS),
    "accept-key-wrong": opening("accept-key"),
    "client-ended-before-any-message": silent(0.1),
    "client-listened-first": close(),
    "soon-after-opening": silent(0.4),
    "long-after-opening": silent(1.2),
    "client-ended-without-a-word": greeted(),
    "reopened-soon": again(0.01),
    "waited-before-reopening": again(0.5),
    "a-crowd-at-once": beside(4),
    "again-and-again": close(),
    "client-closed-1000": close(1000),
    "client-closed-in-order": close(None),
    "client-cut-it": cut(),
    "server-frames-malformed": frames(["rsv"]),
}
SILENT: dict[str, list[Lay]] = {
    "response-breaks-the-handshake:subprotocol": [
        opening(PARAMS), opening("accept-key"), opening(offered="chat"), opening(ECHO, count=1, fine=2),
        opening(ECHO, side="server"),
    ],
    "response-breaks-the-handshake:extension": [
        opening(ECHO), opening(PARAMS, count=1, fine=2), opening(PARAMS, side="server"),
    ],
    "accept-key-wrong": [opening(), opening("key-invalid"), opening("accept-key", count=1, fine=2)],
    "client-ended-before-any-message": [
        greeted(), lossy(silent(0.1)), close(side="server"), greeted(fin=False), cut(by="proxy"),
    ],
    "client-listened-first": [
        silent(0.1), lossy(silent(0.1)), greeted("client"), greeted(fin=False), lossy(greeted(fin=False)),
        close(side="server"),
    ],
    "soon-after-opening": [silent(1.2), without_the_handshake(greeted()), close(side="server", after=0.1)],
    "long-after-opening": [silent(0.9), close(side="server")],
    "client-ended-without-a-word": [
        greeted("client"), greeted("client", fin=False), lossy(greeted()), silent(0.6),
        without_the_handshake(greeted()),
        close(side="server", after=0.0),
    ],
    "reopened-soon": [again(0.5), again(0.01, "server"), again(0.01, count=1)],
    "waited-before-reopening": [again(0.1), again(0.5, "server"), again(0.5, count=1)],
    "a-crowd-at-once": [close(count=6), beside(2, 3), beside(3, 3), beside(4, side="server")],
    "again-and-again": [beside(4), close(count=2), close(side="server")],
    "client-closed-1000": [
        close(1001), close(1000, "bye"), close(None), mixed, close(1000, side="server"), cut(), close_not_kept,
    ],
    "client-closed-in-order": [
        close(1002), close(4000), mixed, malformed_close, close_not_kept, close(1000, side="server"), cut(),
    ],
    "client-cut-it": [close(), lossy(cut()), cut_within_a_frame, cut("server"), cut(by="proxy")],
    "server-frames-malformed": [
        frames([]), frames(["rsv"], "client"), frames(["invalid-utf8"], "client"), frames(["unmasked"], "client"),
        malformed_and_cut("client"), malformed_answer, malformed_close, stray_bytes("client"), stray_bytes(after=0.02),
    ],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(client_closes, SPEAKS, SILENT)


def test_what_was_offered_is_told() -> None:
    assert "chat was offered" in says("response-breaks-the-handshake", opening(ECHO, offered="chat"))[0].text


def test_who_comes_before_the_end_comes_before_it() -> None:
    def overlapping(tape: Tape) -> None:
        for n in range(4):
            greet(tape.open(0.5 + n)).wait(1.02 - 0.04).close("client", 4000)

    assert "before the end" in says("reopened-soon", overlapping)[0].text


@pytest.mark.parametrize("problem", ["masked", "control-too-long", "orphan-continuation", "reserved-opcode"])
def test_what_is_wrong_with_the_frames_is_told(problem: str) -> None:
    assert problem in says("server-frames-malformed", frames([problem]))[0].text


def test_bytes_that_are_no_frame_are_malformed() -> None:
    assert "not-a-frame" in says("server-frames-malformed", stray_bytes())[0].text


def test_a_close_frame_that_crosses_the_cut_is_not_the_clients() -> None:
    assert says("client-cut-it", crossing)


def test_frames_before_a_cut_are_told_as_well() -> None:
    assert says("server-frames-malformed", malformed_and_cut("server"))
