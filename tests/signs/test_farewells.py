"""Connections that end because the client said goodbye: where it is so, and what looks like it."""

from __future__ import annotations

from typing import Any

import pytest

from hangup.diagnosis.diagnose import diagnose
from hangup.diagnosis.signs import farewells
from hangup.messages.farewells import says_goodbye
from hangup.recording.events import Side
from layouts import Line, Tape, greet, header
from signs_seen import Lay, lossy, said_and_silent, says

BYE = {"type": "bye"}
SEND = "SEND\ndestination:/queue/a\n\nhello\x00"
STOMP = "DISCONNECT\nreceipt:bye-1\n\n\x00"


def leaving(
    farewell: Any = BYE,
    code: int | None = 1000,
    *,
    side: Side = "server",
    reply: Any = None,
    after: float = 0.002,
    before: Any = None,
    talk: Any = None,
    count: int = 4,
) -> Lay:
    """Clients that say something, then their farewell; what follows it."""

    def play(line: Line, n: int) -> None:
        greet(line).client(talk or {"type": "order", "n": n}, 0.4).server({"type": "ok"}, 0.05)
        if before is not None:
            line.client(before, 0.2).server({"type": "ok"}, 0.05)
        line.client(farewell, 0.3 + 0.1 * n)
        if reply is not None:
            line.server(reply, 0.001)
        if code is None:
            line.end(side, after=after)
        else:
            line.close(side, code, "", after)

    def lay(tape: Tape) -> None:
        tape.delay = 0.8
        tape.loop(play, count=count)

    return lay


SPEAKS: dict[str, Lay] = {"client-said-goodbye": leaving()}

SILENT: dict[str, list[Lay]] = {
    "client-said-goodbye": [
        leaving({"type": "order", "n": 9}),
        leaving({"type": "close_position"}),
        leaving({"type": "chat", "text": "bye"}),
        leaving(code=1011),
        leaving(code=4000),
        leaving(code=None),
        leaving(after=3.0),
        leaving(before=BYE),
        leaving(reply={"type": "error", "error": "not in a room"}),
        lossy(leaving()),
    ],
}

test_said, test_silent, test_complete = said_and_silent(farewells, SPEAKS, SILENT)


@pytest.mark.parametrize(
    ("lay", "verdict"),
    [
        (leaving(STOMP, reply="RECEIPT\nreceipt-id:bye-1\n\n\x00", talk=SEND), "none/healthy"),
        (leaving(STOMP, code=None, talk=SEND), "none/healthy"),
        (leaving({"op": "logout"}), "none/healthy"),
        (leaving("QUIT :see you", talk="PRIVMSG #a :hello"), "none/healthy"),
        (leaving(side="client"), "none/healthy"),
    ],
)
def test_nothing_is_wrong_then(lay: Lay, verdict: str) -> None:
    tape = Tape()
    lay(tape)
    report = diagnose(header(), tape.done())
    assert says("client-said-goodbye", lay)
    assert report.verdict == verdict, (report.verdict, report.also)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("DISCONNECT", True), ("logout", True), ("connection_terminate", True), ("clientBye", True), ("QUIT", True),
        ("phx_leave", True), ("close_order", False), ("message", False), ("", False),
    ],
)  # fmt: skip
def test_what_a_farewell_is_called(name: str, is_one: bool) -> None:
    assert says_goodbye(name) is is_one


@pytest.mark.parametrize(
    ("farewell", "told"), [(b"\xe0\x00", True), (b"\xc0\x00", False), ("41", True), ('42["bye"]', True)]
)
def test_in_protocols(farewell: str | bytes, told: bool) -> None:
    talk = SEND if isinstance(farewell, str) else b"\x32\x05\x00\x01a\x00\x01"
    assert bool(says("client-said-goodbye", leaving(farewell, talk=talk))) is told
