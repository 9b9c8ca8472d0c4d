"""Servers that are silent when a client gives up: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Callable

from hangup.diagnosis.signs import silent_servers
from layouts import Line, Tape, greet
from signs_seen import Lay, case_of, lossy, said_and_silent, says

CHAT, OK, TICK, PING, PONG = {"type": "chat"}, {"type": "ok"}, {"type": "tick"}, {"type": "ping"}, {"type": "pong"}


def mute(tape: Tape) -> None:
    tape.loop(lambda line, n: line.client(CHAT, 0.1).close("client", 4000, "", 2.0), count=3)


def mute_but_for_pongs(tape: Tape) -> None:
    tape.loop(lambda line, n: line.ping("client", 0.5).pong("server").close("client", 4000, "", 2.0), count=3)


def welcomed(tape: Tape) -> None:
    tape.loop(lambda line, n: line.server({"type": "welcome"}, 0.01).close("client", 4000, "", 3.0 + n), count=3)


def welcome_begun(tape: Tape) -> None:
    tape.loop(
        lambda line, n: line.server('{"type":"wel', 0.1, fin=False, opcode="text").close("client", 4000, "", 2.0),
        count=3,
    )


def conversing(tape: Tape) -> None:
    tape.loop(lambda line, n: tape.talk(greet(line), 1.0 + n).close("client", 4000, "", 1.0), count=3)


def conversing_once(tape: Tape) -> None:
    tape.loop(lambda line, n: tape.talk(greet(line), 2.0).close("client", 4000, "", 1.0), count=1)


def at_random(tape: Tape) -> None:
    pauses = (0.4, 3.0, 9.0, 27.0)
    tape.loop(lambda line, n: greet(line).server(TICK, 1.0).close("client", 4000, "", pauses[n]), count=4)


def silenced(line: Line, by: object = CHAT) -> Line:
    """The server answers two pings, and then nothing more."""
    greet(line)
    for _ in range(2):
        line.client(PING, 1.0).server(PONG, 0.01)
    return line.client(by, 0.5).client(PING, 0.5).client(PING, 1.0)


def fell_silent(tape: Tape) -> None:
    tape.loop(lambda line, n: silenced(line).close("client", 4000, "", 1.0), count=3)


def silent_without_a_reason(tape: Tape) -> None:
    tape.loop(lambda line, n: silenced(line, PING).close("client", 4000, "", 1.0), count=3)


def silent_after_anything(tape: Tape) -> None:
    tape.loop(lambda line, n: silenced(line, {"type": f"kind{n}"}).close("client", 4000, "", 1.0), count=3)


def harmless_elsewhere(tape: Tape) -> None:
    fell_silent(tape)
    line = greet(tape.open(60.0))
    for _ in range(3):
        line.client(CHAT, 0.5).server(OK, 0.01)
    line.end("client", by="proxy")


def both_silent(tape: Tape) -> None:
    tape.loop(lambda line, n: tape.talk(greet(line), 2.0).close("client", 4000, "", 5.0), count=3)


def sent_in_the_last_moment(tape: Tape) -> None:
    tape.loop(
        lambda line, n: tape.talk(greet(line), 2.0).client(CHAT, 0.1).client(CHAT, 0.01).close("client", 4000, "", 0.1),
        count=3,
    )


def pongs_go_on(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        greet(line).client(CHAT, 0.5).client(CHAT, 0.5)
        line.ping("client", 0.5).pong("server").close("client", 4000, "", 0.6)

    tape.loop(play, count=3)


def first_served(tape: Tape) -> None:
    tape.talk(greet(tape.open(0.5)), 5.0).close("client", 4000, "", 1.0)
    for n in range(3):
        tape.open(10.0 + 5 * n).client(CHAT, 0.1).close("client", 4000, "", 2.0)


def later_served(tape: Tape) -> None:
    for n in range(3):
        tape.open(0.5 + 5 * n).client(CHAT, 0.1).close("client", 4000, "", 2.0)
    tape.talk(greet(tape.open(20.0)), 5.0).close("client", 4000, "", 1.0)


def only_the_first_mute(tape: Tape) -> None:
    tape.open(0.5).client(CHAT, 0.1).close("client", 4000, "", 2.0)
    for n in range(3):
        tape.talk(greet(tape.open(10.0 + 5 * n)), 3.0).close("client", 4000, "", 1.0)


def by_the_server(tape: Tape) -> None:
    tape.loop(lambda line, n: line.client(CHAT, 0.1).client(CHAT, 1.0).close("server", 4000, "", 2.0), count=3)


def at_once(tape: Tape) -> None:
    tape.loop(lambda line, n: line.client(CHAT, 0.01).close("client", 4000, "", 0.02), count=3)


SPEAKS: dict[str, Lay] = {
    "steady-wait-of-the-client": both_silent,
    "server-silent-from-the-start": mute,
    "server-spoke-a-little": welcomed,
    "server-had-spoken": conversing,
    "server-fell-silent": fell_silent,
    "server-did-not-fall-silent": conversing,
    "silent-from-one-message-on": fell_silent,
    "first-served-successors-not": first_served,
    "first-silent-too": later_served,
}

SILENT: dict[str, list[Lay]] = {
    "steady-wait-of-the-client": [conversing_once, by_the_server, at_once],
    "server-silent-from-the-start": [lossy(mute), welcomed, welcome_begun, conversing, by_the_server, at_once],
    "server-spoke-a-little": [mute, conversing, by_the_server, mute_but_for_pongs],
    "server-had-spoken": [mute, welcomed, by_the_server, mute_but_for_pongs],
    "server-fell-silent": [
        lossy(fell_silent), conversing, both_silent, sent_in_the_last_moment, pongs_go_on, by_the_server,
    ],
    "server-did-not-fall-silent": [fell_silent, mute, first_served, by_the_server],
    "silent-from-one-message-on": [
        lossy(fell_silent), silent_without_a_reason, silent_after_anything, harmless_elsewhere, both_silent, mute,
        conversing,
    ],
    "first-served-successors-not": [later_served, mute, conversing, by_the_server],
    "first-silent-too": [lossy(mute), first_served, only_the_first_mute, conversing, by_the_server],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(silent_servers, SPEAKS, SILENT)


def test_a_wait_that_differs_counts_against_a_deadline() -> None:
    assert all(sign.strength < 0 for sign in says("steady-wait-of-the-client", at_random))
    assert says("steady-wait-of-the-client", both_silent)[0].strength > 3


def test_the_message_from_which_on_it_was_silent_is_named() -> None:
    (sign,) = says("silent-from-one-message-on", fell_silent)
    assert sign.trigger is not None
    life = case_of(fell_silent).by_conn[sign.trigger.conn or 0]
    assert [m.text for m in life.traffic.recent if m.n == sign.trigger.frame] == ['{"type":"chat"}']


def test_nobody_waits_for_so_short_a_time_who_waited_longer() -> None:
    """By the clock since opening, whatever the server said last: between two of its messages it was silent longer."""

    def lay(tape: Tape) -> None:
        ticked: Callable[[Line], Line] = lambda line: greet(line).server(TICK, 1.0).server(TICK, 2.0)  # noqa: E731
        tape.loop(lambda line, n: ticked(line).close("client", 1000, "", 0.4), count=4)

    (sign,) = says("steady-wait-of-the-client", lay)
    assert sign.text.startswith("every connection lasted 3.4"), sign.text
