"""Pings of the client: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Callable

from hangup.diagnosis.signs import client_pings
from layouts import Line, Tape, greet
from signs_seen import Lay, lossy, said_and_silent, says

PING, PONG, TICK, OK = {"type": "ping"}, {"type": "pong"}, {"type": "tick"}, {"type": "ok"}


def played(play: Callable[[Line], Line], by: str = "client") -> Lay:
    """The same on each of three connections, which the client ends a second later."""

    def lay(tape: Tape) -> None:
        tape.loop(lambda line, n: play(greet(line)).close(by, 4000, "", 1.0), count=3)  # type: ignore[arg-type]

    return lay


def pings(line: Line) -> Line:
    return line.client(PING, 1.0).server(TICK, 0.5).client(PING, 0.5).server(TICK, 0.5)


def control(line: Line) -> Line:
    return line.ping("client", 1.0, payload=b"1").server(TICK, 0.5).ping("client", 0.5, payload=b"2")


def answered(line: Line) -> Line:
    return line.client(PING, 1.0).server(PONG, 0.01).client(PING, 1.0).server(PONG, 0.01)


def control_answered(line: Line) -> Line:
    return line.ping("client", 1.0, payload=b"1").pong("server", payload=b"1")


def at_first(line: Line) -> Line:
    return answered(line).client(PING, 1.0).server(TICK, 0.3)


def control_at_first(line: Line) -> Line:
    return control_answered(line).ping("client", 1.0, payload=b"2")


def followed(line: Line) -> Line:
    return line.client(PING, 1.0).server(OK, 0.01).client(PING, 1.0).server(OK, 0.01)


def otherwise(line: Line) -> Line:
    return line.client("ping", 1.0).server(PONG, 0.01)


def clockwork(line: Line, what: object = None) -> Line:
    for _ in range(4):
        line.client(what or {"type": "position", "x": 1}, 1.0)
    return line


def conversation(line: Line) -> Line:
    return line.tape.talk(line, 3.0)


def late(line: Line) -> Line:
    return line.client(PING, 1.0).client(PING, 1.0).server(PONG, 3.0)


def late_control(line: Line) -> Line:
    return control(line).pong("server", 2.0, payload=b"2")


def in_the_last_moment(tape: Tape) -> None:
    tape.loop(lambda line, n: greet(line).client(PING, 1.0).close("client", None, "", 0.001), count=3)


def control_in_the_last_moment(tape: Tape) -> None:
    tape.loop(lambda line, n: control_answered(greet(line)).ping("client", 1.0).close("client", 1001, "", 0.001))


def only_one(tape: Tape) -> None:
    tape.loop(lambda line, n: pings(greet(line)).close("client", 4000, "", 1.0), count=1)


def of_the_server(line: Line) -> Line:
    return line.server(PING, 1.0).client(PONG, 0.01).ping("server", 1.0)


def after_everything(line: Line) -> Line:
    for _ in range(2):
        line.client(PING, 0.5).server(OK, 0.01).client({"type": "chat"}, 0.5).server(OK, 0.01)
    return line


def much_later(line: Line) -> Line:
    return line.client(PING, 1.0).server(OK, 0.5).client(PING, 1.0).server(OK, 0.5)


def answered_clockwork(line: Line) -> Line:
    for _ in range(4):
        line.client({"type": "position", "x": 1}, 1.0).server(OK, 0.01)
    return line


def irregular(line: Line) -> Line:
    for pause in (0.2, 3.0, 0.7, 1.4):
        line.client({"type": "position", "x": 1}, pause)
    return line


def about_pings(line: Line) -> Line:
    return line.client({"type": "chat", "text": "ping"}, 1.0).client({"type": "chat", "text": "heartbeat"}, 0.4)


SPEAKS: dict[str, Lay] = {
    "client-sends-pings:app": played(answered),
    "client-sends-pings:control": played(control),
    "no-client-ping-answered:app": played(pings),
    "no-client-ping-answered:control": played(control),
    "last-client-pings-unanswered:app": played(at_first),
    "last-client-pings-unanswered:control": played(control_at_first),
    "steady-after-unanswered-client-ping:app": played(pings),
    "steady-after-unanswered-client-ping:control": played(control),
    "client-pings-answered:app": played(answered),
    "client-pings-answered:control": played(control_answered),
    "ping-followed-by-something-else": played(followed),
    "answered-in-another-form": played(otherwise),
    "clockwork-messages-unanswered": played(clockwork),
    "no-client-ping": played(conversation),
}

SILENT: dict[str, list[Lay]] = {
    "client-sends-pings": [played(of_the_server), played(about_pings), played(clockwork)],
    "no-client-ping-answered": [
        played(answered), played(late), played(late_control), in_the_last_moment, played(about_pings),
        played(lambda line: line.client("ping", 1.0).server("ping", 0.01)), played(of_the_server),
        played(pings, "server"), lossy(played(pings)), lossy(played(control)),
    ],
    "last-client-pings-unanswered": [
        played(pings), played(answered), played(late), played(late_control), control_in_the_last_moment,
        lossy(played(at_first)),
    ],
    "steady-after-unanswered-client-ping": [only_one, played(answered), in_the_last_moment, played(late)],
    "client-pings-answered": [played(pings), played(at_first), played(control), played(conversation)],
    "ping-followed-by-something-else": [
        played(pings), played(after_everything), played(much_later), played(answered), played(otherwise),
    ],
    "answered-in-another-form": [played(pings), played(followed), played(of_the_server)],
    "clockwork-messages-unanswered": [
        played(answered_clockwork), played(irregular), played(lambda line: clockwork(line, "x" * 200)),
        played(conversation), played(lambda line: clockwork(line, PING)),
    ],
    "no-client-ping": [lossy(played(conversation)), played(pings), played(clockwork), played(answered)],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(client_pings, SPEAKS, SILENT)


def test_ping_and_pong_of_one_form_say_the_contrary() -> None:
    assert [sign.strength for sign in says("answered-in-another-form", played(answered))] == [-1.0]


def test_nothing_is_said_of_pings_in_a_file_without_messages() -> None:
    assert not says("no-client-ping", played(conversation), ["payloads"])


def test_the_ping_without_an_answer_is_what_it_names() -> None:
    (sign,) = says("last-client-pings-unanswered", played(at_first))
    assert sign.trigger is not None and (sign.trigger.conn, sign.trigger.frame) == (1, 7)
    assert sign.text == 'the client\'s pings ({type: "ping"}) were answered at first, but the last ones were not'
