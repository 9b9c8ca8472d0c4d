"""Reserved bits: where it is said, and what looks like it and is not so."""

from __future__ import annotations

from typing import Any

import pytest

from hangup.diagnosis.signs import reserved_bits
from layouts import Line, Tape, greet
from signs_seen import Lay, said_and_silent, says

DEFLATE = ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")


def marked(side: str = "client", rsv: int = 4, problems: tuple[str, ...] = ("rsv",), **more: Any) -> Lay:
    """A frame with a reserved bit before each end."""

    def play(line: Line, n: int) -> None:
        line = line.tape.talk(greet(line), 1.0)
        line.say(side, {"type": "chat"}, 0.2, rsv=rsv, problems=problems).end("server", after=0.01)  # type: ignore[arg-type]

    return lambda tape: tape.loop(play, count=3, **more)


def on_a_ping(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        greet(line).ping("client", 0.2)
        tape.events[-1].problems, tape.events[-1].rsv = ("rsv",), 4  # type: ignore[attr-defined]
        line.end("server", after=0.01)

    tape.loop(play, count=3)


SPEAKS: dict[str, Lay] = {
    "reserved-bit-without-an-extension:client": marked(),
    "reserved-bit-without-an-extension:server": marked("server"),
}

SILENT: dict[str, list[Lay]] = {
    "reserved-bit-without-an-extension": [
        marked(problems=(), response=[DEFLATE]),
        marked(rsv=0, problems=()),
        marked(rsv=0, problems=("unmasked",)),
        marked(rsv=0, problems=(), request=[DEFLATE]),
        marked("server", problems=(), response=[DEFLATE]),
    ],
    "reserved-bit-without-an-extension:server": [marked()],
    "reserved-bit-without-an-extension:client": [marked("server")],
}


test_said, test_silent, test_complete = said_and_silent(reserved_bits, SPEAKS, SILENT)


@pytest.mark.parametrize("lay", [marked(rsv=2, response=[DEFLATE]), on_a_ping, marked(problems=(), request=[DEFLATE])])
def test_another_bit_a_ping_and_an_offer_that_was_not_taken_up(lay: Lay) -> None:
    (sign,) = says("reserved-bit-without-an-extension:client", lay)
    assert sign.strength == 1.0 and sign.trigger is not None and sign.trigger.frame is not None


@pytest.mark.parametrize("lacks", ["framing", "headers"])
def test_nothing_is_said_of_a_file_that_does_not_tell(lacks: str) -> None:
    assert not says("reserved-bit-without-an-extension", marked(), [lacks])
