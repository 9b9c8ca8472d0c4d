"""The form of the client's last message: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from typing import Any

from hangup.diagnosis.signs import message_forms
from layouts import Line, Tape
from signs_seen import Lay, said_and_silent, says

CHAT = {"type": "message", "id": 1, "text": "hi"}
BEAT = {"type": "ping"}
BOM = "\ufeff"
LARGE = '{"type":"upload","data":"' + "x" * (1 << 20) + '"}'


def among(last: Any, usual: Any = CHAT, count: int = 4, **more: Any) -> Lay:
    """Some usual messages, and another at which the server ends it; with None just the usual ones."""

    def play(line: Line, n: int) -> None:
        for _ in range(5 + n):
            line.client(usual, 0.4)
        if last is not None:
            line.client(last, 0.4, **more)
        line.end("server", after=0.004)

    return lambda tape: tape.loop(play, count=count)


def alone(last: Any, count: int = 3, **more: Any) -> Lay:
    """One message of the client, at which the server ends it."""

    def play(line: Line, n: int) -> None:
        line.client(last, 1.0 + n, **more).end("server", after=0.004)

    return lambda tape: tape.loop(play, count=count)


def by_client(last: Any) -> Lay:
    """The client ends it after the same."""

    def play(line: Line, n: int) -> None:
        for _ in range(5 + n):
            line.client(CHAT, 0.4)
        line.client(last, 0.4).close("client", 4000, "", 0.004)

    return lambda tape: tape.loop(play, count=4)


def quiet(last: Any) -> Lay:
    """The end comes long after it."""

    def play(line: Line, n: int) -> None:
        for _ in range(5 + n):
            line.client(CHAT, 0.4)
        line.client(last, 0.4).end("server", after=2.0 + 0.8 * n)

    return lambda tape: tape.loop(play, count=4)


def in_turn(*last: Any) -> Lay:
    """Another last message each time."""

    def play(line: Line, n: int) -> None:
        for _ in range(5 + n):
            line.client(CHAT, 0.4)
        line.client(last[n % len(last)], 0.4).end("server", after=0.004)

    return lambda tape: tape.loop(play, count=4)


def mixed(last: Any, *usual: Any, **more: Any) -> Lay:
    """Several usual messages."""

    def play(line: Line, n: int) -> None:
        for each in usual * (2 + n):
            line.client(each, 0.4)
        line.client(last, 0.4, **more).end("server", after=0.004)

    return lambda tape: tape.loop(play, count=4)


def with_cut_ones(tape: Tape) -> None:
    """Of some harmless messages only the beginning was recorded: their kind may be the same."""

    def play(line: Line, n: int) -> None:
        for _ in range(4):
            line.client(CHAT, 0.4).client('{"type":', 0.4, length=90_000)
        line.client({"type": "vote"}, 0.4).end("server", after=0.004)

    tape.loop(play, count=4)


TEXT = {"opcode": "text"}

SPEAKS: dict[str, Lay] = {
    "only-the-last-not-json": among("hello there"),
    "only-the-last-empty": among(""),
    "only-the-last-bom": among(BOM + '{"type":"vote"}'),
    "only-the-last-nan": among('{"type":"move","x":NaN}'),
    "only-the-last-not-utf8": among(b"\xffabc", **TEXT),
    "only-the-last-heartbeat": among(BEAT),
    "only-the-last-of-an-opcode": among(b"\x00\x01\x02"),
    "last-is-not-json": alone("hello there"),
    "last-is-empty": alone(""),
    "last-is-bom": alone(BOM + "{}"),
    "last-is-nan": alone('{"type":"move","x":NaN}'),
    "only-the-last-surrogate": among('{"type":"vote","for":"ab\\ud83d"}'),
    "last-is-surrogate": alone('{"type":"vote","for":"\\udc00"}'),
    "last-is-heartbeat": alone(BEAT),
    "last-is-binary": alone(b"\x00\x01\x02"),
    "text-heartbeat": among("ping"),
    "only-the-last-of-a-shape": among({"type": "vote", "for": 3}),
    "of-another-kind": among({"type": "vote", "id": 1, "text": ""}),
    "lacks-what-all-others-have": mixed(
        {"type": "message", "id": 1}, CHAT, {"type": "vote", "id": 2, "text": "", "for": 1}
    ),
    "lacks-what-its-kin-have": among({"type": "message", "id": 1}),
    "last-message-differs-in-form": among("hello there"),
}

JSON_OF_ALL_SORTS = [among(LARGE), among('"text"'), among("12"), among({"text": "not JSON"}), among("  {}")]
OTHERS = [among(None), by_client("hello there"), quiet("hello there")]

SILENT: dict[str, list[Lay]] = {
    "only-the-last-not-json": [
        *JSON_OF_ALL_SORTS, *OTHERS, among("hello there", "plain text"), among(""), among(BOM + "{}"),
        among('{"x":NaN}'), among("cut", length=90_000), among(b"hello there"), alone("hello there"),
    ],
    "only-the-last-empty": [among("", "plain text"), among({}), among(b""), among(" "), among('""'), alone("")],
    "only-the-last-bom": [among({"text": BOM}), among("{}"), quiet(BOM + "{}"), alone(BOM + "{}")],
    "only-the-last-nan": [among({"x": "NaN"}), among({"NaN": 1}), among({"x": None}), quiet('{"x":NaN}')],
    "only-the-last-not-utf8": [among(b"\xffabc"), among("ÿabc"), among("\ufffd"), alone(b"\xff", **TEXT)],
    "only-the-last-heartbeat": [
        among({"type": "message", "text": "ping"}), among({"type": "pong"}), by_client(BEAT), quiet(BEAT), alone(BEAT),
    ],
    "only-the-last-of-an-opcode": [
        among(b"\x00\x01", b"\x02\x03\x04"), among("hello there"), quiet(b"\x00"), alone(b"\x00"),
        in_turn(b"\x00", CHAT, CHAT, CHAT),
    ],
    "last-is-not-json": [alone({}), alone(LARGE), alone("x", length=90_000), alone(b"hello"), among("hello there")],
    "last-is-empty": [alone({}), alone('""'), alone(b""), among("")],
    "last-is-bom": [alone({"text": BOM}), alone({}), among(BOM + "{}")],
    "last-is-nan": [alone({"x": "NaN"}), alone({"x": None})],
    "only-the-last-surrogate": [
        among('{"type":"vote","for":"\\ud83d\\ude00"}'), among('{"type":"vote","for":"\\\\ud83d"}'),
        among({"for": "😀"}), among('{"type":"vote","for":"\\ud83d"'), alone('{"for":"\\ud83d"}'),
    ],
    "last-is-surrogate": [alone('{"for":"\\ud83d\\ude00"}'), alone({"for": "é"}), among('{"for":"\\ud83d"}')],
    "last-is-heartbeat": [alone({"type": "pong"}), alone({"type": "message", "text": "ping"}), among(BEAT)],
    "last-is-binary": [alone({}), alone("\x00\x01"), among(b"\x00")],
    "text-heartbeat": [among(BEAT), among("ping us when you can"), quiet("ping"), among(b"ping"), by_client("ping")],
    "only-the-last-of-a-shape": [in_turn({"type": "a"}, {"type": "b"}, "c", "d"), alone(CHAT), quiet(BEAT)],
    "of-another-kind": [
        with_cut_ones, among({"type": "message", "of": 1}), among({"id": 1}), among("vote"), alone({"type": "vote"}),
        among({"type": "vote"}, "plain text"),
    ],
    "lacks-what-all-others-have": [
        mixed({"type": "message", "id": 1}, CHAT, {"type": "vote", "id": 2}), among({**CHAT, "more": 1}),
        among("hello there"), alone({"type": "message"}), among({"type": "message", "id": 1}, "plain text"),
    ],
    "lacks-what-its-kin-have": [
        mixed({"type": "vote", "id": 1}, CHAT, {"type": "message", "id": 1}), among({**CHAT, "more": 1}),
        among({"type": "message", "title": 1}), among("hello there"),
    ],
    "last-message-differs-in-form": [
        among(None), alone("hello there"), among({**CHAT, "id": 7, "text": "x" * 900}), among("one", "another"),
    ],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(message_forms, SPEAKS, SILENT)


def test_what_did_no_harm_is_counted_and_what_was_not_read_is_not() -> None:
    (sign,) = says("only-the-last-not-json", among("hello there"))
    assert sign.text == "4 of 4 last messages are text that is not JSON; the 26 messages that did no harm are not"
    (sign,) = says("only-the-last-not-json", mixed("hello there", *[CHAT] * 5, "x"))
    assert sign.strength < 0 and "such did no harm" in sign.text
    (sign,) = says("only-the-last-of-a-shape", with_cut_ones)
    assert "the 16 messages that did no harm are not" in sign.text


def test_the_fields_are_named() -> None:
    (sign,) = says("lacks-what-all-others-have", SPEAKS["lacks-what-all-others-have"])
    assert sign.text.endswith("lacks `text`, which every JSON object that did no harm (2 kinds) has")
    (sign,) = says("lacks-what-its-kin-have", SPEAKS["lacks-what-its-kin-have"])
    assert "lacks `text`, which" in sign.text


def test_the_other_opcode_may_be_text() -> None:
    (sign,) = says("only-the-last-of-an-opcode", among("hello there", b"\x00\x01"))
    assert "text frames" in sign.text
