"""Pings of the server: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hangup.diagnosis.signs import server_pings
from hangup.recording.events import End, Frame, Side
from layouts import Headers, Line, Tape, greet
from signs_seen import Lay, lossy, said_and_silent, says, seen

PING, PONG, CHAT, OK = {"type": "ping"}, {"type": "pong"}, {"type": "chat"}, {"type": "ok"}
AIOHTTP = [("Server", "Python/3.11 aiohttp/3.10")]

Play = Callable[[Line], Line]


def played(
    *plays: Play,
    waits: Iterable[float] = (1.0,),
    side: Side = "server",
    code: int | None = -1,
    response: Headers | None = None,
) -> Lay:
    """Each of these on three connections, one after the other; they end so long after it, without a close frame."""
    after = list(waits)

    def play(line: Line, n: int) -> None:
        plays[n % len(plays)](greet(line)).wait(after[n % len(after)])
        if code == -1:
            line.end(side)
        else:
            line.close(side, code)

    return lambda tape: tape.loop(play, count=3, response=response)


def pings(count: int) -> Play:
    def play(line: Line) -> Line:
        for _ in range(count):
            line.server(PING, 1.0)
        return line

    return play


def answered(line: Line) -> Line:
    return line.server(PING, 1.0).client(PONG, 0.01).server(PING, 1.0).client(PONG, 0.01)


def at_first(line: Line) -> Line:
    return answered(line).server(PING, 1.0)


def late(line: Line) -> Line:
    return line.server(PING, 1.0).client(PONG, 0.9)


def one_for_two(line: Line) -> Line:
    for _ in range(8):
        line.server(PING, 0.5).server(PING, 0.5).client(PONG, 0.01)
    return line


def of_the_client(line: Line) -> Line:
    return line.client(PING, 1.0).server(PONG, 0.01).client(PING, 1.0)


def about_pings(line: Line) -> Line:
    return line.server({"type": "chat", "text": "ping"}, 1.0).server({"type": "chat", "text": "heartbeat"}, 0.5)


def control(count: int) -> Play:
    def play(line: Line) -> Line:
        for n in range(count):
            line.ping("server", 1.0, payload=b"%d" % n)
        return line

    return play


def control_answered(line: Line) -> Line:
    return (
        line.ping("server", 1.0, payload=b"1").pong(payload=b"1").ping("server", 1.0, payload=b"2").pong(payload=b"2")
    )


def control_at_first(line: Line) -> Line:
    return control_answered(line).ping("server", 1.0, payload=b"3")


def control_one_for_two(line: Line) -> Line:
    for n in range(4):
        line.ping("server", 0.5, payload=b"a%d" % n).ping("server", 0.5, payload=b"b%d" % n).pong(payload=b"b%d" % n)
    return line


def mismatched(line: Line) -> Line:
    return (
        line.ping("server", 1.0, payload=b"1").pong(payload=b"2").ping("server", 1.0, payload=b"3").pong(payload=b"4")
    )


def unasked(line: Line) -> Line:
    return line.pong("client", 1.0).pong("client", 1.0)


def control_of_the_client(line: Line) -> Line:
    return line.ping("client", 1.0).pong("server").ping("client", 1.0)


def talking(line: Line) -> Line:
    return line.client(CHAT, 1.0).server(OK, 0.01)


def crossing(tape: Tape) -> None:
    """The client's pong crosses the server's FIN."""

    def play(line: Line, n: int) -> None:
        greet(line).server(PING, 1.0).wait(0.04)
        line._put(End(at=line.at, conn=line.conn, side="server", how="fin"))
        pong = Frame(at=line.at + 0.001, conn=line.conn, n=9, side="client", text='{"type":"pong"}', mask="00000000")
        line._put(pong)._put(End(at=line.at + 0.002, conn=line.conn, side="client", how="fin"))

    tape.loop(play, count=3)


def by_age(line: Line) -> Line:
    """The first ping comes sooner or later; it ends by its age."""
    first = 1.0 + line.conn
    line.ping("server", first)
    line.client(CHAT, 9.0 - first)
    return line


SPEAKS: dict[str, Lay] = {
    "server-pings-unanswered": played(pings(2)),
    "last-pings-unanswered": played(at_first),
    "pings-answered": played(answered),
    "different-numbers-of-unanswered-pings": played(pings(1), pings(4)),
    "many-unanswered-pings": played(pings(7)),
    "control-pings-unanswered": played(control(2)),
    "pongs-passed": played(control_answered),
    "steady-after-a-control-ping": played(control_answered),
    "right-after-a-control-ping": played(control(1), waits=[0.004]),
    "steady-after-the-only-control-ping": played(control(1), waits=[2.0]),
    "another-time-steadier-than-the-ping": played(by_age),
    "earlier-pings-did-no-harm": played(control_answered),
    "not-all-were-pinged": played(control(1), talking, talking),
    "library-cuts-so-for-a-missing-pong": played(control(1), response=AIOHTTP),
}

SILENT: dict[str, list[Lay]] = {
    "server-pings-unanswered": [
        played(answered), played(at_first), played(late), played(of_the_client), played(about_pings), crossing,
        played(pings(1), waits=[0.001]), played(control(2)), lossy(played(pings(2))), played(pings(2), side="client"),
    ],
    "last-pings-unanswered": [
        played(pings(2)), played(answered), played(late), played(at_first, answered, answered), played(one_for_two),
        played(at_first, waits=[0.001]), lossy(played(at_first)),
    ],
    "pings-answered": [played(pings(2)), played(at_first), played(of_the_client), played(control_answered)],
    "different-numbers-of-unanswered-pings": [
        played(pings(3)), played(pings(2), pings(3)), played(answered, one_for_two), lossy(played(pings(1), pings(4))),
    ],
    "many-unanswered-pings": [played(pings(4)), played(one_for_two), lossy(played(pings(7))), played(control(7))],
    "control-pings-unanswered": [
        played(control_answered), played(control_at_first), played(control_one_for_two), played(unasked),
        played(control(1), waits=[0.002]), played(control_of_the_client), lossy(played(control(2))), played(pings(2)),
        played(control(2), side="client"),
    ],
    "pongs-passed": [
        played(control(2)), played(mismatched), played(unasked), played(control(1), waits=[0.002]),
        played(control_of_the_client), lossy(played(control_answered)),
    ],
    "steady-after-a-control-ping": [
        played(control(1), talking, talking), played(control_of_the_client), played(pings(1)),
        lossy(played(control_answered)),
    ],
    "right-after-a-control-ping": [
        played(control(1)), played(pings(1), waits=[0.004]), played(control_of_the_client, waits=[0.004]),
        played(lambda line: control(1)(line).client(CHAT, 1.0), waits=[0.004]),
    ],
    "steady-after-the-only-control-ping": [
        played(control(2), waits=[2.0]), played(control(1), waits=[1.0, 2.0, 9.0]), played(unasked, waits=[2.0]),
        played(control(1), control(2), waits=[2.0]),
    ],
    "another-time-steadier-than-the-ping": [played(control(1)), played(control(1), waits=[1.0, 2.0, 9.0])],
    "earlier-pings-did-no-harm": [played(control(3)), played(lambda line: control(1)(line).pong(payload=b"0"))],
    "not-all-were-pinged": [
        played(control(1)), played(talking), lossy(played(control(1), talking, talking)),
    ],
    "library-cuts-so-for-a-missing-pong": [
        played(control(1)), played(talking, response=AIOHTTP), played(control(1), code=1011, response=AIOHTTP),
        lossy(played(control(1), response=AIOHTTP)),
    ],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(server_pings, SPEAKS, SILENT)


def test_a_pong_of_another_payload_is_no_matching_one() -> None:
    (sign,) = says("control-pings-unanswered", played(mismatched))
    assert sign.text == "6 of the server's 6 ping frames got no matching pong"


def test_the_ping_without_an_answer_is_what_it_names() -> None:
    (sign,) = says("last-pings-unanswered", played(at_first))
    assert sign.trigger is not None and (sign.trigger.kind, sign.trigger.conn, sign.trigger.frame) == ("time", 1, 7)
    assert sign.text == "6 of the server's 9 pings got a pong, but mostly not the last one"


def test_the_time_after_the_ping_is_measured() -> None:
    name = "steady-after-a-control-ping"
    steady, loose = (seen(played(control(1), waits=waits))[name] for waits in ([2.0], [1.0, 2.0, 9.0]))
    assert steady.strength > 3 > 0 > loose.strength
    assert loose.text == "the ends came 2.00 s (spread 8.00 s) after the server's last ping frame"
