"""Clients that close once they have their answer: where it is said, and what looks like it and is not so."""

from __future__ import annotations

from typing import Any

import pytest

from hangup.diagnosis.signs import answered_clients
from layouts import Line, Tape, greet
from signs_seen import Lay, said_and_silent, says

GET, FILE = {"type": "get"}, {"type": "file"}


def asked(code: int | None = 1000, after: float = 0.01, by: str = "client", pause: float = 3.0, **more: Any) -> Lay:
    """A question, its answer, and a close; the next one comes after a pause."""

    def lay(tape: Tape) -> None:
        tape.delay = pause
        tape.loop(lambda line, n: get(line, **more).close(by, code, "", after), count=3)  # type: ignore[arg-type]

    return lay


def get(line: Line, chatter: int = 0, answer: bool = True) -> Line:
    greet(line)
    for _ in range(chatter):
        line.server({"type": "tick"}, 0.2)
    line.client(GET, 0.1)
    return line.server(FILE, 0.02) if answer else line


def once(tape: Tape) -> None:
    get(tape.open(0.5)).close("client", 1000, "", 0.01)


def cut(tape: Tape) -> None:
    tape.delay = 3.0
    tape.loop(lambda line, n: get(line).end("client", after=0.01), count=3)


def mute(tape: Tape) -> None:
    tape.delay = 3.0
    tape.loop(lambda line, n: line.server(FILE, 0.01).close("client", 1000, "", 0.01), count=3)


SPEAKS: dict[str, Lay] = {"client-closed-once-answered": asked()}

SILENT: dict[str, list[Lay]] = {
    "client-closed-once-answered": [
        asked(4000), asked(1011), asked(after=2.0), asked(by="server"), asked(pause=0.2), asked(answer=False),
        asked(chatter=9), cut, mute,
    ]
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(answered_clients, SPEAKS, SILENT)


@pytest.mark.parametrize("lay", [once, asked(None), asked(1001)])
def test_also_for_good_and_with_each_code_of_order(lay: Lay) -> None:
    (sign,) = says("client-closed-once-answered", lay)
    assert sign.text.endswith("did not come back during the recording" if lay is once else "at the earliest")
