"""Messages that do harm in one state only: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Callable

from hangup.diagnosis.signs import states
from layouts import Line, Tape
from signs_seen import Lay, said_and_silent, says

EDIT, LOCK, OK, CHAT, HELLO = {"type": "edit"}, {"type": "lock"}, {"type": "ok"}, {"type": "chat"}, {"type": "hello"}


def some(good: Callable[[Line], Line], bad: Callable[[Line], Line], count: int = 3) -> Lay:
    """Connections that stay open for as long as they are used, and others that the server ends at once."""

    def lay(tape: Tape) -> None:
        for n in range(count):
            good(tape.open(0.5 + 10 * n).client(HELLO, 0.1).server(OK, 0.01)).end("client", after=3.0, by="proxy")
            bad(tape.open(5.5 + 10 * n).client(HELLO, 0.1).server(OK, 0.01)).end("server", after=0.002)

    return lay


def talk(line: Line) -> Line:
    return line.client(CHAT, 0.5).server(OK, 0.01)


def locked(line: Line) -> Line:
    return edits(edits(talk(line).client(LOCK, 0.5).server(OK, 0.01)))


def unlocked(line: Line) -> Line:
    return talk(line).client(EDIT, 0.5)


def edits(line: Line) -> Line:
    return talk(line).client(EDIT, 0.5).server(OK, 0.01)


def edits_then_locks(line: Line) -> Line:
    return edits(line).client(LOCK, 0.5).server(OK, 0.01)


def edited_after_the_lock(line: Line) -> Line:
    return talk(line).client(LOCK, 0.5).server(OK, 0.01).client(EDIT, 0.5)


def first_harmless_then_not(line: Line) -> Line:
    return edits(line).client(LOCK, 0.5).server(OK, 0.01).client(EDIT, 0.5)


def in_one_conversation(tape: Tape) -> None:
    """The same on each connection: harmless at first, and not after the other message."""
    tape.loop(lambda line, n: first_harmless_then_not(line.client(HELLO, 0.1)).end("server", after=0.002), count=4)


def ready(line: Line) -> Line:
    return line.server({"type": "ready"}, 0.3)


def kinds_of_all_sorts(line: Line) -> Line:
    number = line.conn
    for offset in range(4):
        line.client({"type": f"kind{number}-{offset}"}, 0.2).server(OK, 0.01)
    return line


SPEAKS: dict[str, Lay] = {
    "harmless-after-another-message": some(locked, unlocked),
    "harmless-before-another-message": some(edits, edited_after_the_lock),
}

SILENT: dict[str, list[Lay]] = {
    "harmless-after-another-message": [
        some(edits, unlocked), some(edits, edited_after_the_lock), some(talk, unlocked), some(locked, unlocked, 1),
        some(edits_then_locks, unlocked), some(lambda line: edits(locked(line)), lambda line: unlocked(locked(line))),
        some(lambda line: edits(kinds_of_all_sorts(line)), lambda line: unlocked(kinds_of_all_sorts(line))),
    ],
    "harmless-before-another-message": [
        some(edits, unlocked), some(locked, unlocked), some(locked, edited_after_the_lock),
        some(edits, edited_after_the_lock, 1), some(talk, edited_after_the_lock),
    ],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(states, SPEAKS, SILENT)


def test_a_message_of_the_server_can_make_the_difference_too() -> None:
    (sign,) = says("harmless-after-another-message", some(lambda line: edits(ready(line)), unlocked))
    assert '{type: "ready"}' in sign.text and '{type: "edit"}' in sign.text


def test_one_conversation_can_show_it_if_it_comes_again_and_again() -> None:
    (sign,) = says("harmless-before-another-message", in_one_conversation)
    assert '{type: "lock"}' in sign.text
