"""Ends after messages of the server: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from typing import Any

from hangup.diagnosis.signs import server_messages
from hangup.recording.events import Side
from layouts import Line, Tape, greet
from signs_seen import Lay, lossy, said_and_silent, says

NAN, CUT, LARGE = '{"type":"price","value":NaN}', '{"type":"price","val', {"type": "rows", "rows": ["x" * 70_000]}


def then(what: Any, side: Side = "client", after: float = 0.004, **more: Any) -> Lay:
    """A conversation, something of the server's, and the end right after that."""
    return lambda tape: tape.loop(
        lambda line, n: tape.talk(greet(line), 1.0 + 0.7 * n).server(what, 0.3, **more).close(side, 4000, "", after)
    )


def by_turns(*whats: Any, side: Side = "client") -> Lay:
    """Each time something else."""

    def lay(tape: Tape) -> None:
        tape.loop(
            lambda line, n: (
                tape.talk(greet(line), 1.0 + 0.7 * n).server(whats[n % len(whats)], 0.3).close(side, 4000, "", 0.004)
            )
        )

    return lay


def only(what: Any, say: Any) -> Lay:
    """The server says nothing else; the client says something first."""
    return lambda tape: tape.loop(lambda line, n: line.client(say, 0.5).server(what, 0.3 + n).close("client", 4000))


def of_another_side(tape: Tape) -> None:
    tape.loop(lambda line, n: tape.talk(greet(line), 1.0 + n).client(CUT, 0.3).close("client", 4000, "", 0.004))


def harmless_earlier(what: Any) -> Lay:
    """The same kind of message comes before, too."""

    def play(tape: Tape, line: Line, n: int) -> None:
        for _ in range(4):
            greet(line).server(what, 0.5)
        line.server(what, 0.5).close("client", 4000, "", 0.004)

    return lambda tape: tape.loop(lambda line, n: play(tape, line, n))


def begun(tape: Tape) -> None:
    tape.loop(
        lambda line, n: (
            tape.talk(greet(line), 1.0 + 0.7 * n)
            .wait(2.0)
            .server("half of it", 0.3, fin=False)
            .close("client", 1009, "", 0.002)
        )
    )


def late(tape: Tape) -> None:
    tape.loop(lambda line, n: tape.talk(greet(line), 1.0 + n).close("client", 4000, "", 3.0 + n))


def compressed(tape: Tape) -> None:
    tape.loop(
        lambda line, n: (
            tape.talk(greet(line), 1.0 + 0.7 * n).server("xyz", 0.3, length=300).close("client", 4000, "", 0.004)
        )
    )


PRICE, DONE = {"type": "price", "value": 1}, {"type": "done"}
SPEAKS: dict[str, Lay] = {
    "follows-no-server-message": late,
    "last-message-holds-nan": then(NAN),
    "last-message-not-json": then(CUT),
    "last-message-well-formed": then(PRICE),
    "last-server-messages-of-many-kinds": by_turns(PRICE, DONE, {"type": "a"}, {"type": "b"}),
    "last-messages-alike": then(PRICE),
    "server-said-that-it-was-done": then(DONE, "server"),
}
SILENT: dict[str, list[Lay]] = {
    "follows-no-server-message": [then(PRICE), then(b"\x00\x01"), begun, lossy(late)],
    "last-message-holds-nan": [
        then({"type": "price", "value": "NaN"}), then({"type": "NaN", "Infinity": 1}), then(CUT),
        then("NaN is no number"),
        by_turns(NAN, PRICE), late, of_another_side,
    ],
    "last-message-not-json": [
        then(LARGE), then(PRICE), then(NAN), then(b"\x00\x01"), then(' [1, 2, {"a": null}]'), then("17"),
        then('"text"'),
        only("welcome", "hello"), by_turns(CUT, PRICE), compressed, late, of_another_side,
    ],
    "last-message-well-formed": [
        then(CUT), then(NAN), then(LARGE), then("<html>"), then("\ufeff{}"), by_turns(PRICE, CUT), compressed, late,
        then(PRICE, problems=("masked",)), then(b"\xff\xfe", opcode="text", problems=("invalid-utf8",)),
    ],
    "last-server-messages-of-many-kinds": [then(PRICE), by_turns(PRICE, {"type": "price", "value": 2}), late],
    "last-messages-alike": [by_turns(PRICE, DONE, {"type": "a"}, {"type": "b"}), only(PRICE, "hello"), late],
    "server-said-that-it-was-done": [
        then(DONE), then(PRICE, "server"), then({"type": "undone"}, "server"), then({"text": "done"}, "server"),
        by_turns(DONE, PRICE, side="server"), then(DONE, "server", 4.0),
    ],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(server_messages, SPEAKS, SILENT)


def test_no_file_without_times_tells_that_nothing_is_followed() -> None:
    assert not says("follows-no-server-message", late, ["times"])


def test_a_kind_that_did_no_harm_elsewhere_counts_against_it() -> None:
    assert says("last-messages-alike", then(PRICE))[0].strength > 0
    assert says("last-messages-alike", harmless_earlier(PRICE))[0].strength < 0


def test_others_that_are_not_json_are_told() -> None:
    assert "all others are" in says("last-message-not-json", then(CUT))[0].text
    (sign,) = says("last-message-not-json", harmless_earlier_once)
    assert "1 of " in sign.text and "neither" in sign.text


def harmless_earlier_once(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        greet(line)
        if n == 2:
            line.server(CUT, 0.5)
        tape.talk(line, 4.0, 0.3).server(CUT, 0.3).close("client", 4000, "", 0.004)

    tape.loop(play)
