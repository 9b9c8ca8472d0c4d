"""Values that set the messages before the ends apart: each sign where it is said, and what looks like it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from hangup.diagnosis.diagnose import diagnose
from hangup.diagnosis.signs import values
from layouts import Line, Tape, header
from signs_seen import Lay, says, untested

CLIENT, SERVER = "value-unlike-the-harmless", "server-value-unlike-the-harmless"

Value = Callable[[int, int], Any]
"""Given the connection and the message, both counted from 0."""


def fails(bad: Any, usual: Value = lambda c, n: 3 + (7 * c + 5 * n) % 4, side: Any = "client", each: int = 5) -> Lay:
    """Some messages ``{"type": "put", "in": {"x": …}}`` on each of four connections; the last one is ``bad``, if that
    is a function what it makes of the connection."""

    def body(value: Any) -> Any:
        return {"type": "put", "in": {} if value is None and usual is ABSENT else {"x": value, "y": 1}}

    def play(line: Line, c: int) -> None:
        for n in range(each + c):
            line.say(side, body(usual(c, n)), 0.7)
        last = bad(c) if callable(bad) else bad
        said: Any = last if isinstance(last, dict) and "type" in last else body(last)
        line.say(side, said, 0.7).end("server" if side == "client" else "client", after=0.004)

    return lambda tape: tape.loop(play, count=4)


ABSENT: Value = lambda c, n: None  # noqa: E731
MISSING = {"type": "put", "in": {"y": 1}}
COLOURS = ("red", "green", "blue")


def colour(c: int, n: int) -> str:
    return COLOURS[(c + 2 * n) % 3]


def tags(c: int, n: int) -> list[str]:
    return ["a", "b"][: 1 + (c + n) % 2]


_serial: Iterator[int] = count()

CLIENT_SIDE: dict[str, Lay] = {
    "null": fails(None),
    "missing": fails(MISSING),
    "type": fails("5"),
    "empty": fails([], tags),
    "form": fails("2026-11-30T22:57:48", lambda c, n: f"2026-11-30T22:57:{10 + c + n}.{100 + 7 * n}"),
    "negative": fails(-4),
    "never-seen": fails("mauve", colour),
    "decimals": fails(0.1 + 0.2, lambda c, n: (3 + (7 * c + 5 * n) % 4) / 10),
    "longer": fails("x" * 60, lambda c, n: "y" * (9 + (7 * c + 5 * n) % 4)),
    "larger": fails(900),
    "smaller": fails(1),
    "present": fails({"type": "put", "in": {"x": 4, "y": 1, "z": 2}}),
}

LOOK_ALIKES: dict[str, Lay] = {
    "the value is an ordinary one": fails(4),
    "an id of its own in every message": fails(lambda c: f"id-{next(_serial):x}", lambda c, n: f"id-{next(_serial):x}"),
    "a random word in every message": fails(lambda c: "zq"[c % 2] * 3, lambda c, n: chr(97 + n) * 2 + chr(97 + c)),
    "a counter in each connection": fails(lambda c: 5 + c, lambda c, n: n),
    "a counter, connections of one length": fails(99, lambda c, n: n),
    "a counter over all": fails(lambda c: next(_serial), lambda c, n: next(_serial)),
    "a counter in a text": fails(lambda c: f"msg-{5 + c}", lambda c, n: f"msg-{n}"),
    "a clock": fails(lambda c: 1.7e9 + 100 * c + 50, lambda c, n: 1.7e9 + 100 * c + n),
    "a clock in words": fails(lambda c: f"2026-01-0{c + 1}T10:59", lambda c, n: f"2026-01-0{c + 1}T10:0{n}"),
    "a countdown": fails(0, lambda c, n: 20 - n),
    "a document that grows": fails("x" * 200, lambda c, n: "x" * (5 + n)),
    "a name for each connection": fails(lambda c: "abcd"[c], lambda c, n: "abcd"[c]),
    "null is usual": fails(None, lambda c, n: None if n % 2 else 4),
    "null now and then, whatever it does": fails(lambda c: None if c == 1 else 4),
    "only few harmless ones": fails(None, each=-1),
    "of another kind altogether": fails({"type": "drop", "in": {"x": None}}),
    "recorded in part": fails(lambda c: "z" * 900, lambda c, n: "y" * (500 + n % 3)),
}


@pytest.mark.parametrize("variety", CLIENT_SIDE)
def test_said_of_the_client(variety: str) -> None:
    assert says(f"{CLIENT}:{variety}", CLIENT_SIDE[variety])


@pytest.mark.parametrize("what", LOOK_ALIKES)
def test_not_said_of_what_looks_alike(what: str) -> None:
    assert not [sign.text for sign in says(CLIENT, LOOK_ALIKES[what])]


@pytest.mark.parametrize("bad", [None, MISSING, "5"])
def test_said_of_the_server(bad: Any) -> None:
    assert says(SERVER, fails(bad, side="server"))
    assert not says(CLIENT, fails(bad, side="server"))
    assert not says(SERVER, fails(bad))


def test_not_said_of_an_ordinary_message_of_the_server() -> None:
    assert not says(SERVER, fails(4, side="server"))
    assert not says(SERVER, fails(lambda c: 5 + c, lambda c, n: n, side="server"))


def test_not_said_where_the_end_does_not_follow() -> None:
    def play(line: Line, c: int) -> None:
        for n in range(6):
            line.client({"type": "put", "x": 4 + (c + n) % 3}, 0.7)
        line.client({"type": "put", "x": None}, 0.7).end("server", after=2.0 + 0.7 * c)

    assert not says(CLIENT, lambda tape: tape.loop(play, count=4))


def test_the_field_and_the_value_are_named() -> None:
    (sign,) = says(CLIENT, fails(None))
    assert sign.exact == "`in.x` is null"
    assert sign.text == "`in.x` is null in 4 of 4 last messages, and in none of the 26 of this kind that did no harm"
    assert sign.trigger is not None and (sign.trigger.kind, sign.trigger.conn, sign.trigger.frame) == ("frame", 1, 6)
    (sign,) = says(CLIENT, fails("mauve", colour))
    assert sign.exact == '`in.x` is "mauve"'


def test_what_does_no_harm_now_and_then_is_told_and_counts_less() -> None:
    (sure,) = says(CLIENT, fails([], tags))
    (sign,) = says(CLIENT, fails([], lambda c, n: [] if n == 2 else tags(c, n)))
    assert "and in 4 of the 26" in sign.text
    assert sign.strength < sure.strength


@pytest.mark.parametrize("wrap", [lambda body: f'42["put",{body}]', lambda body: f"{body}\x1e"])
def test_json_within_a_packet(wrap: Callable[[str], str]) -> None:
    def play(line: Line, c: int) -> None:
        for n in range(6):
            line.client(wrap(f'{{"type":1,"x":{3 + (c + 2 * n) % 4}}}'), 0.7)
        line.client(wrap('{"type":1,"x":null}'), 0.7).end("server", after=0.004)

    (sign,) = says(CLIENT, lambda tape: tape.loop(play, count=4))
    assert "x` is null" in sign.text


def test_bytes_and_plain_text() -> None:
    def play(line: Line, c: int, bad: Any, usual: Callable[[int], Any]) -> None:
        for n in range(6):
            line.client(usual(c + 2 * n), 0.7)
        line.client(bad, 0.7).end("server", after=0.004)

    def lay(bad: Any, usual: Callable[[int], Any]) -> Lay:
        return lambda tape: tape.loop(lambda line, c: play(line, c, bad, usual), count=4)

    (sign,) = says(CLIENT, lay(b"\x7f\x01\x02", lambda n: bytes([1 + n % 2, n, 3])))
    assert sign.exact == "the first byte is 0x7f"
    (sign,) = says(CLIENT, lay("say " + "x" * 300, lambda n: "say " + "x" * (4 + n % 3)))
    assert sign.exact == "the length is larger than 10"
    assert not says(CLIENT, lay(b"\x01\x01\x02", lambda n: bytes([1 + n % 2, n, 3])))


def test_every_sign_is_tested() -> None:
    assert not untested(values, {CLIENT: 1, SERVER: 1})


def test_the_report_says_which_field_it_is() -> None:
    tape = Tape()
    fails(None)(tape)
    report = diagnose(header(), tape.done())
    assert report.category in ("message", "server-handler")
    assert report.parts["property"].value == "`in.x` is null"
    assert ": `in.x` is null. The server ended it" in report.sentence
    report.censor(lambda text: text.replace("null", "(hidden)"))
    assert "null" not in report.parts["property"].value
