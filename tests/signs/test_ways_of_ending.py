"""How connections ended: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from hangup.diagnosis.signs import ways_of_ending
from layouts import Line, Tape, greet
from signs_seen import Lay, said_and_silent, says, seen

CHAT, OK = {"type": "chat"}, {"type": "ok"}


def closed(side: str, code: int | None, count: int = 3) -> Lay:
    """A conversation each time, of another length."""

    def play(line: Line, n: int) -> None:
        line.tape.talk(greet(line), 1.0 + 3 * n * n).close(side, code, "", 0.4)  # type: ignore[arg-type]

    return lambda tape: tape.loop(play, count=count)


def cut(tape: Tape) -> None:
    tape.loop(lambda line, n: tape.talk(greet(line), 1.0 + 3 * n * n).end("server", after=0.4), count=3)


def healthy(tape: Tape) -> None:
    tape.talk(greet(tape.open(0.5)), 9.0).close("client", 1001)


def refused(tape: Tape) -> None:
    for n in range(3):
        tape.open(0.5 + n, status=403)


def after_a_message(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        line.tape.talk(greet(line), 1.0 + 3 * n * n).client({"type": "bad"}, 0.4).end("server", after=0.002)

    tape.loop(play, count=4)


def by_age(tape: Tape) -> None:
    tape.loop(lambda line, n: greet(line).server(OK, 0.3 + n).wait(4.7 - n).end("server"), count=4)


def beside(tape: Tape) -> None:
    tape.talk(greet(tape.open(0.1)), 30.0).end("client", by="proxy")
    cut(tape)


def beside_elsewhere(tape: Tape) -> None:
    tape.talk(greet(tape.open(0.1, "/other")), 60.0).end("client", by="proxy")
    cut(tape)


def many_kinds(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        greet(line).client({"type": f"kind{n}"}, 1.0 + n).server(OK, 0.01).end("server", after=0.7)

    tape.loop(play, count=3)


def other_values(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        greet(line).client({"type": "chat", "text": f"number {n}"}, 1.0 + n).server(OK, 0.01).end("server", after=0.7)

    tape.loop(play, count=3)


def once(tape: Tape) -> None:
    tape.talk(greet(tape.open(0.5)), 3.0).end("server", after=0.4)
    tape.talk(greet(tape.open(0.5, "/other")), 9.0).end("client", by="proxy")


SPEAKS: dict[str, Lay] = {
    "nothing-failed": healthy,
    "way-of-ending:server-close": closed("server", 1011),
    "way-of-ending:server-abrupt": cut,
    "way-of-ending:client-close": closed("client", 4000),
    "way-of-ending:server-refused": refused,
    "kind-of-close-code:server-none": closed("server", None),
    "kind-of-close-code:server-1000": closed("server", 1000),
    "kind-of-close-code:server-1xxx": closed("server", 1011),
    "kind-of-close-code:client-own": closed("client", 4000),
    "few-ends": cut,
    "follows-nothing": cut,
    "keeps-no-time": cut,
    "neither": cut,
    "other-connections-stayed-open": beside,
    "last-client-messages-differ": many_kinds,
    "not-reopened": once,
}

SILENT: dict[str, list[Lay]] = {
    "nothing-failed": [cut, refused, once],
    "way-of-ending": [healthy],
    "way-of-ending:server-close": [cut, closed("client", 1011), refused],
    "kind-of-close-code": [cut, refused, healthy],
    "kind-of-close-code:server-own": [closed("server", 1012), closed("client", 4000)],
    "few-ends": [healthy],
    "follows-nothing": [refused, healthy],
    "keeps-no-time": [refused, healthy],
    "neither": [refused, healthy],
    "other-connections-stayed-open": [cut, beside_elsewhere, once],
    "last-client-messages-differ": [other_values, cut],
    "not-reopened": [cut, refused],
}


test_said, test_silent, test_complete = said_and_silent(ways_of_ending, SPEAKS, SILENT)


def test_the_more_ends_follow_a_message_or_keep_a_time_the_weaker() -> None:
    without, message, age = seen(cut), seen(after_a_message), seen(by_age)
    assert min(without[name].strength for name in ("follows-nothing", "keeps-no-time", "neither")) > 0.3
    assert message["follows-nothing"].strength == message["neither"].strength == 0.0
    assert age["keeps-no-time"].strength == age["neither"].strength == 0.0
    assert message["keeps-no-time"].strength > 0.3


def test_the_more_ends_the_weaker() -> None:
    assert [says("few-ends", closed("server", 1011, count))[0].strength for count in (1, 4)] == [1.0, 0.25]
