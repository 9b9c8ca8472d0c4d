"""What the server may have waited for: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from hangup.diagnosis.signs import waiting_servers
from hangup.recording.events import Raw, Side
from layouts import Line, greet
from signs_seen import Lay, lossy, said_and_silent, says, seen

PING, PONG, CHAT, OK, REPORT = ({"type": kind} for kind in ("ping", "pong", "chat", "ok", "report"))

Play = Callable[[Line], Line]


def played(
    play: Play, waits: Iterable[float] = (5.0,), count: int = 3, side: Side = "server", code: int | None = -1
) -> Lay:
    """The same on each connection; they end so long after it, without a close frame."""
    after = list(waits)

    def each(line: Line, n: int) -> None:
        play(line).wait(after[n % len(after)])
        if code == -1:
            line.end(side)
        else:
            line.close(side, code)

    return lambda tape: tape.loop(each, count=count)


def closed(play: Play, waits: Iterable[float] = (5.0,), side: Side = "server") -> Lay:
    return played(play, waits, side=side, code=1008)


def request(line: Line) -> Line:
    """One message like the others that is answered, and one that is not."""
    return greet(line).client(CHAT, 0.1 * line.conn).server(OK, 0.01).client(REPORT, 0.5)


def answered(line: Line) -> Line:
    return request(line).server(OK, 3.0)


def only_pushed(line: Line) -> Line:
    """What the server said was no answer to anything."""
    return line.server(OK, 0.1).server(OK, 0.5).client(REPORT, 0.5)


def half_answered(line: Line) -> Line:
    return request(line).server("a", 0.5, fin=False).server("b", 0.5, opcode="continuation", fin=False)


def frame_half_sent(line: Line) -> Line:
    raw = Raw(at=request(line).at, conn=line.conn, side="server", base64=b"\x81\x7e", problems=("half-frame",))
    return line._put(raw)


def often(line: Line) -> Line:
    """The same message had been answered several times."""
    return greet(line).client(REPORT, 0.5).server(OK, 0.01).client(REPORT, 0.5).server(OK, 0.01).client(REPORT, 0.5)


def of_kinds(line: Line) -> Line:
    return greet(line).client({"type": f"kind{line.conn}"}, 0.5)


def beat(line: Line) -> Line:
    return greet(line).client(PING, 0.5)


def silent(line: Line) -> Line:
    return greet(line)


def pinged(line: Line) -> Line:
    return greet(line).server(PING, 1.0)


def streamed(line: Line) -> Line:
    """The client goes on with the fragments of a message."""
    greet(line).client("a", 0.1, fin=False)
    for _ in range(9):
        line.client("b", 0.5, opcode="continuation", fin=False)
    return line


def beats(*gaps: float, side: Side = "client", opcode: str = "text") -> Play:
    def play(line: Line) -> Line:
        greet(line)
        for gap in gaps:
            line.ping(side, gap) if opcode == "ping" else line.say(side, PING, gap).server(PONG, 0.01)
        return line

    return play


SPEAKS: dict[str, Lay] = {
    "last-message-unanswered": played(request),
    "steady-after-a-request": played(request),
    "steady-time": played(silent),
    "client-silent-and-server-closed": closed(silent),
    "ended-when-the-next-heartbeat-was-due": played(beats(2.0, 2.0, 2.0), [2.0]),
}

SILENT: dict[str, list[Lay]] = {
    "last-message-unanswered": [
        played(answered), played(only_pushed), played(silent), played(half_answered), played(frame_half_sent),
        lossy(played(request)), played(request, side="client"),
    ],
    "steady-after-a-request": [
        played(answered), played(often), played(of_kinds), played(beat), played(only_pushed), played(request, count=1),
        played(request, [0.1]), lossy(played(request)), played(half_answered),
    ],
    "steady-time": [played(silent, count=1), lossy(played(silent)), played(silent, side="client")],
    "client-silent-and-server-closed": [
        played(silent), closed(silent, side="client"), closed(pinged), closed(silent, [0.1]), closed(streamed, [0.1]),
        lossy(closed(silent)), played(silent, code=1006),
    ],
    "ended-when-the-next-heartbeat-was-due": [
        played(beats(2.0, 2.0, 2.0), [1.0]), played(beats(2.0, 2.0, 2.0), [4.0]), played(beats(2.0), [2.0]),
        played(beats(0.4, 9.0, 0.4, 0.4), [2.55]), played(beats(2.0, 2.0, 2.0), [0.2, 2.0, 9.0]),
        played(beats(2.0, 2.0, 2.0, side="server"), [2.0]), played(beats(2.0, 2.0, 2.0), [2.0], side="client"),
        lossy(played(beats(2.0, 2.0, 2.0), [2.0])), played(beats(0.1, 0.1, 0.1, 0.1), [0.1]),
    ],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(waiting_servers, SPEAKS, SILENT)


@pytest.mark.parametrize("name", SPEAKS)
def test_nothing_is_said_where_the_times_are_not_told(name: str) -> None:
    assert not says(name, SPEAKS[name], ["times"])


def test_heartbeats_may_be_control_pings() -> None:
    assert says("ended-when-the-next-heartbeat-was-due", played(beats(2.0, 2.0, 2.0, opcode="ping"), [2.0]))


def test_the_message_without_an_answer_is_what_it_names() -> None:
    for name in ("last-message-unanswered", "steady-after-a-request"):
        (sign,) = says(name, played(request))
        assert sign.trigger is not None and (sign.trigger.kind, sign.trigger.frame) == ("frame", 5)


def test_times_are_measured_from_what_is_steadiest() -> None:
    assert seen(played(request))["steady-after-a-request"].strength > 3
    assert seen(played(request, [1.0, 5.0, 30.0]))["steady-after-a-request"].strength < 0
    texts = [seen(played(play, waits))["steady-time"].text for play, waits in ((silent, [5.0]), (pinged, [1.0, 9.0]))]
    assert texts[0] == "the ends came 5.01 s (spread 0 ms) after the client's last frame"
    assert all("after  " not in text and "?" not in text for text in texts)


def test_a_ping_that_was_not_sent_each_time_is_no_clock() -> None:
    def play(line: Line) -> Line:
        return greet(line).server(PING, 1.0) if line.conn == 1 else greet(line)

    text = seen(played(play, [1.0, 9.0, 30.0]))["steady-time"].text
    assert text.startswith("the ends came ") and "without a pong" not in text
