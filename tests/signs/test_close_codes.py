"""Close codes: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from hangup.diagnosis.signs import close_codes
from hangup.recording.events import Side
from layouts import Headers, Line, Tape, greet
from signs_seen import Lay, said_and_silent, says

GRAPHQL: Headers = [("Sec-WebSocket-Protocol", "graphql-transport-ws")]


def closed(code: int | None, side: Side = "server", response: Headers | None = None) -> Lay:
    """An ordinary conversation, and the end."""
    return lambda tape: tape.loop(
        lambda line, n: tape.talk(greet(line), 1.0).close(side, code, "", 0.1), count=3, response=response
    )


def cut(tape: Tape) -> None:
    tape.loop(lambda line, n: greet(line).end("server", after=1.0), count=3)


def refused(tape: Tape) -> None:
    for n in range(3):
        tape.open(0.5 + n, status=403)


def closed_by_a_filter(tape: Tape) -> None:
    tape.loop(lambda line, n: greet(line).end("server", by="close-after", after=1.0), count=3)


def spoiled(text: object, **more: object) -> Lay:
    """The server calls a client's message invalid."""
    return lambda tape: tape.loop(
        lambda line, n: greet(line).client(text, 0.2, **more).close("server", 1007, "", 0.002), count=3
    )


def sound_in_one_of_three(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        text = "w\u00f6rd" if n == 1 else b"\xff\xfe"
        greet(line).client(text, 0.2, opcode="text").close("server", 1007, "", 0.002)

    tape.loop(play, count=3)


def pinged(side: Side = "server") -> Lay:
    other: Side = "client" if side == "server" else "server"
    return lambda tape: tape.loop(
        lambda line, n: greet(line).ping(side, 1.0).pong(other).ping(side, 1.0).close("server", 1011, "", 1.0), count=3
    )


BAD, BINARY = spoiled(b"\xff\xfe", opcode="text", problems=("invalid-utf8",)), spoiled(b"\xff\xfe", opcode="binary")
SPEAKS: dict[str, Lay] = {
    "close-code:1008": closed(1008),
    "close-code:4400": closed(4400),
    "close-code:1007": BAD,
    "close-code:1007-though-valid": spoiled("w\u00f6rd"),
    "close-code:1011": closed(1011),
    "close-code:1011-after-pings": pinged(),
    "graphql-close-code:4400": closed(4400, response=GRAPHQL),
    "client-close-code:1009": closed(1009, "client"),
}
SILENT: dict[str, list[Lay]] = {
    "close-code": [
        closed(1008, "client"), closed(None), cut, refused, closed_by_a_filter, closed(4400, response=GRAPHQL),
    ],
    "close-code:1007": [spoiled("w\u00f6rd"), closed(1008)],
    "close-code:1007-though-valid": [BAD, BINARY, sound_in_one_of_three],
    "close-code:1011": [pinged()],
    "close-code:1011-after-pings": [closed(1011), pinged("client")],
    "graphql-close-code": [closed(4400), closed(1011, response=GRAPHQL), closed(4400, "client", GRAPHQL), cut],
    "client-close-code": [closed(1009), closed(None, "client"), cut],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(close_codes, SPEAKS, SILENT)


def test_where_pings_are_not_told_of_none_is_known() -> None:
    assert says("close-code:1011-pings-untold", closed(1011), ["pings"])
    assert not says("close-code:1011-pings-untold", pinged(), ["pings"])
    assert not says("close-code:1011-pings-untold", closed(1011))
