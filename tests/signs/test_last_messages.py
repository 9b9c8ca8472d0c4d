"""Ends that follow a message, and what the server said after it: each sign where it is said, and what looks like it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hangup.diagnosis.signs import last_messages
from hangup.recording.events import FilterEvent
from layouts import HELLO, Line, Tape, greet
from signs_seen import Lay, lossy, said_and_silent, says

BINARY_ERROR = b'{"type":"error","message":"no"}'
BAD, OK, NEWS = {"type": "vote", "for": 3}, {"type": "ack"}, {"type": "news", "n": 1}


def each(play: Callable[[Line, int], Any], count: int = 4) -> Lay:
    """The same on each of some connections."""
    return lambda tape: tape.loop(play, count=count)


def talk(line: Line, n: int = 0) -> Line:
    """An ordinary conversation, which is of another length each time."""
    return line.tape.talk(greet(line), 3.0 + n)


def crash(line: Line, n: int) -> Line:
    return talk(line, n).client(BAD, 0.3).end("server", after=0.004)


def answered(line: Line, n: int, answer: Any = OK) -> Line:
    return talk(line, n).client(BAD, 0.3).server(answer, 0.004).end("server", after=0.003)


def answers(answer: Any) -> Lay:
    return each(lambda line, n: answered(line, n, answer))


def quiet(line: Line, n: int) -> Line:
    return talk(line, n).end("server", after=2.0 + 0.7 * n)


def of_one_age(line: Line, n: int) -> Line:
    """What ends at a steady age follows the messages as it happens."""
    start = line.at
    line.tape.talk(greet(line), 4.0 - 0.3 * n).client(BAD)
    line.at = start + 5.1
    return line.end("server")


def dense(line: Line, n: int) -> Line:
    for _ in range(200 + 20 * n):
        line.client({"type": "move"}, 0.005)
    return line.end("server", after=0.004)


def unasked(line: Line, n: int) -> Line:
    return talk(line, n).server(NEWS, 1.0).end("server", after=0.004)


def at_once(line: Line, n: int) -> Line:
    return line.client(HELLO, 0.005).end("server", after=0.004)


def burst(line: Line, n: int, count: int = 9, last: bool = False) -> Line:
    talk(line, n)
    if not last:
        line.client(BAD, 0.3)
    for _ in range(count):
        line.server(NEWS, 0.002)
    if last:
        line.client(BAD, 0.002)
    return line.end("server", after=0.002)


def kinds(line: Line, n: int) -> Line:
    return talk(line, n).client({"type": f"kind-{'abcd'[n]}"}, 0.3).end("server", after=0.004)


def values(line: Line, n: int) -> Line:
    return talk(line, n).client({"type": "vote", "for": n, "why": "x" * n}, 0.3).end("server", after=0.004)


def cut(line: Line, n: int) -> Line:
    """Messages of which only the beginning was recorded."""
    return line.client('{"type":', 1.0 + n, length=90_000).end("server", after=0.004)


def only_bad(line: Line, n: int) -> Line:
    return line.client(BAD, 1.0 + n).end("server", after=0.004)


def one_kind_kept(tape: Tape) -> None:
    """The client sent something else, too, which a filter kept from the server."""
    each(lambda line, n: line.client(NEWS, 0.5).client(BAD, 1.0 + n).end("server", after=0.004))(tape)
    for at, conn in [(event.at, event.conn) for event in tape.events if getattr(event, "n", 0) == 1]:
        tape.events.append(FilterEvent(at=at, conn=conn, filter="drop kind=news", action="drop", side="client", n=1))


SPEAKS: dict[str, Lay] = {
    "follows-client-message": each(crash),
    "follows-server-message": each(unasked),
    "follows-unasked-server-message": each(unasked),
    "answered-before-the-end": each(answered),
    "not-answered-before-the-end": each(crash),
    "last-word-of-an-error": answers({"id": 1, "error": {"message": "no such field"}}),
    "server-went-on-sending": each(burst),
    "last-messages-of-many-kinds": each(kinds),
    "last-messages-of-one-kind": each(values),
    "only-one-shape-was-sent": each(only_bad),
}

SILENT: dict[str, list[Lay]] = {
    "follows-client-message": [each(quiet), each(of_one_age), each(dense), each(lambda line, n: line.end("server"))],
    "follows-server-message": [each(quiet), each(lambda line, n: talk(line, n).client(BAD, 0.9).end("server"))],
    "follows-unasked-server-message": [
        each(answered), each(quiet), each(lambda line, n: talk(line, n).server(NEWS, 1.0).end("client", after=0.004)),
    ],
    "answered-before-the-end": [
        each(crash), each(lambda line, n: talk(line, n).server(OK, 0.3).client(BAD, 0.002).end("server", after=0.004)),
        each(lambda line, n: answered(line, n) if n % 2 else crash(line, n)), each(quiet),
        each(lambda line, n: talk(line, n).client(BAD, 0.3).ping("server", 0.002).end("server", after=0.002)),
    ],
    "not-answered-before-the-end": [each(answered), each(quiet), lossy(each(crash))],
    "last-word-of-an-error": [
        each(answered), answers({"ok": True, "error": None}), answers({"errors": [], "data": 1}),
        answers({"failed": 0, "done": 7}), answers({"error": ""}), answers({"error": False}),
        answers({"type": "invalidate", "key": 3}), answers({"text": "x" * 120, "error": None}),
        answers("error: none"), answers("errors so far: 3"), answers("errand 4 is done"), answers(b"\x01 error"),
        each(lambda line, n: answered(line, n, {"type": "error"} if n else OK)),
        each(lambda line, n: talk(line, n).server({"type": "error"}, 0.1).server(OK, 0.1).client(BAD).end("server")),
    ],
    "server-went-on-sending": [
        each(lambda line, n: burst(line, n, 3)), each(lambda line, n: burst(line, n, last=True)), each(answered),
    ],
    "last-messages-of-many-kinds": [each(values), each(quiet)],
    "last-messages-of-one-kind": [each(kinds), each(values, 1), each(cut)],
    "only-one-shape-was-sent": [each(crash), each(cut), one_kind_kept, lossy(each(only_bad))],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(last_messages, SPEAKS, SILENT)


def test_so_soon_after_opening_the_first_message_may_be_the_cause() -> None:
    (sign,) = says("follows-client-message", each(at_once))
    assert sign.strength == 0.8


def test_the_message_is_named() -> None:
    (sign,) = says("follows-client-message", each(only_bad))
    assert sign.trigger is not None and (sign.trigger.kind, sign.trigger.conn, sign.trigger.frame) == ("frame", 1, 1)
    assert [cite.frame for cite in sign.cites] == [1, 1, 1, 1]
    assert sign.text == "4 of 4 ended 4.0 ms after a message from the client; at a random moment 1% would"


def test_how_often_is_said_where_it_is_not_each_time() -> None:
    (sign,) = says("not-answered-before-the-end", each(lambda line, n: answered(line, n) if n % 2 else crash(line, n)))
    assert sign.text.endswith("(2 of 4 times)")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"op": "error", "id": 4014241, "msg": "timestamp outside of recvWindow"}, "timestamp outside of recvWindow"),
        ({"error": {"code": 4, "message": "no such field"}}, "no such field"),
        ({"type": "error", "reason": "out\nof\u202e \"order\""}, 'out\\nof\\u202e "order"'),
        ('42["error",{"message":"Déjà vu"}]', "Déjà vu"),
        ("ERROR\nmessage:malformed frame\ncontent-type:text/plain\n\nwhat was sent\x00", "malformed frame"),
        ("-ERR 'Unknown Protocol Operation'", "-ERR 'Unknown Protocol Operation'"),
        ("Error: no such room", "Error: no such room"),
        ({"type": "error", "message": "x" * 300, "stack": "y" * 300}, "x" * 79 + "…"),
    ],
)
def test_the_words_of_an_error_are_quoted(message: Any, words: str) -> None:
    (sign,) = says("last-word-of-an-error", answers(message))
    assert sign.text == f'the server\'s last message reports an error: "{words}"'


def test_words_that_differ_are_counted_and_an_error_without_words_is_told_as_one() -> None:
    def one(line: Line, n: int) -> Line:
        return answered(line, n, {"error": "busy" if n else "full"})

    (sign,) = says("last-word-of-an-error", each(one))
    assert sign.text == 'the server\'s last message reports an error: "busy" (3 of 4 times)'
    (sign,) = says("last-word-of-an-error", answers(BINARY_ERROR))
    assert sign.text == "the server's last message reports an error"
