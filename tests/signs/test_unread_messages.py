"""What shows that the server does not read: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Callable

from hangup.diagnosis.signs import unread_messages
from hangup.recording import events as ev
from layouts import Line, Tape, greet
from signs_seen import Lay, lossy, said_and_silent, says

TICK, CHAT, OK = {"type": "tick"}, {"type": "chat"}, {"type": "ok"}


def played(play: Callable[[Line], Line]) -> Lay:
    return lambda tape: tape.loop(lambda line, n: play(greet(line)), count=3)


def close_frame(line: Line, side: str = "client", code: int = 1000) -> Line:
    """A CLOSE of one side, without an answer."""
    line.n += 1
    data = code.to_bytes(2, "big").decode("latin-1").encode("latin-1")
    line.tape.events.append(
        ev.Frame(at=line.at, conn=line.conn, n=line.n, side=side, opcode="close", base64=data, code=code, reason="")  # type: ignore[arg-type]
    )
    return line


def ticks(line: Line, count: int = 4, every: float = 0.3) -> Line:
    for _ in range(count):
        line.server(TICK, every)
    return line


def deaf_to_the_close(line: Line) -> Line:
    return ticks(close_frame(ticks(line), code=4000)).end("client")


def crossing(line: Line) -> Line:
    return close_frame(ticks(line), code=4000).server(TICK, 0.01).end("client", after=0.5)


def answered_late(line: Line) -> Line:
    return close_frame(ticks(close_frame(ticks(line), code=4000)), "server").end("server", after=0.01)


def silent_after_the_close(line: Line) -> Line:
    return close_frame(ticks(line), code=4000).end("client", after=2.0)


def by_the_server(line: Line) -> Line:
    return close_frame(ticks(line), "server", 4000).client(CHAT, 0.2).client(CHAT, 0.2).end("server")


def half_closed(line: Line) -> Line:
    line.tape.events.append(ev.End(at=line.at, conn=line.conn, side="client", how="fin"))
    return ticks(line).end("server", after=0.1)


def deaf_to_pings(line: Line) -> Line:
    return ticks(line.ping("client", 0.5, payload=b"1")).close("client", 4000, "", 0.1)


def pongs_come(line: Line) -> Line:
    return ticks(line.ping("client", 0.5).pong("server")).close("client", 4000, "", 0.1)


def pong_comes_late(line: Line) -> Line:
    return ticks(line.ping("client", 0.5)).pong("server").close("client", 4000, "", 0.1)


def pong_of_the_latest_only(line: Line) -> Line:
    line.ping("client", 0.5, payload=b"1").ping("client", 0.1, payload=b"2").pong("server", payload=b"2")
    return ticks(line).close("client", 4000, "", 0.1)


def another_payload(line: Line) -> Line:
    return ticks(line.ping("client", 0.5, payload=b"1").pong("server", payload=b"x")).close("client", 4000, "", 0.1)


def pings_of_the_server(line: Line) -> Line:
    return ticks(line.ping("server", 0.5)).close("server", 4000, "", 0.1)


def silent_after_the_ping(line: Line) -> Line:
    return ticks(line).ping("client", 0.1).server(TICK, 0.05).close("client", 4000, "", 2.0)


def piled(line: Line, count: int = 5) -> Line:
    line.client(CHAT, 0.3).server(OK, 0.01)
    for _ in range(count):
        line.client(CHAT, 0.3)
    return line


def always_so(line: Line) -> Line:
    for _ in range(5):
        line.client(CHAT, 0.1)
    return piled(line.server(OK, 0.1))


def never_a_word(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        for _ in range(6):
            line.client(CHAT, 0.3)
        line.end("server", after=0.2)

    tape.loop(play, count=3)


def mid_frame(line: Line, side: str = "client", by: str = "server") -> Line:
    line.wait(0.5)
    half = ev.Raw(at=line.at, conn=line.conn, side=side, text="abc", problems=("half-frame",), opcode="text", length=90)  # type: ignore[arg-type]
    line.tape.events.append(half)
    return line.end(by, "rst", 0.001)  # type: ignore[arg-type]


SPEAKS: dict[str, Lay] = {
    "close-unanswered-while-server-sends": played(deaf_to_the_close),
    "pings-unanswered-while-server-sends": played(deaf_to_pings),
    "client-messages-pile-up": played(lambda line: piled(line).end("server", after=0.2)),
    "server-reset-it-with-messages-unanswered": played(lambda line: piled(line, 2).end("server", "rst", 0.3)),
    "client-frame-left-half-sent": played(mid_frame),
}

SILENT: dict[str, list[Lay]] = {
    "close-unanswered-while-server-sends": [
        played(crossing), played(answered_late), played(silent_after_the_close), played(by_the_server),
        played(half_closed), lossy(played(deaf_to_the_close)),
    ],
    "pings-unanswered-while-server-sends": [
        played(pongs_come), played(pong_comes_late), played(pong_of_the_latest_only), played(another_payload),
        played(pings_of_the_server), played(silent_after_the_ping), lossy(played(deaf_to_pings)),
    ],
    "client-messages-pile-up": [
        played(lambda line: piled(line, 2).end("server")), played(lambda line: always_so(line).end("server")),
        played(lambda line: piled(line).server(OK, 0.1).end("server")), never_a_word,
        played(lambda line: piled(line).pong("server").end("server")),
        lossy(played(lambda line: piled(line).end("server", after=0.2))),
    ],
    "server-reset-it-with-messages-unanswered": [
        played(lambda line: piled(line, 2).end("server")), played(lambda line: piled(line, 2).end("client", "rst")),
        played(lambda line: piled(line, 0).end("server", "rst", 0.3)),
        played(lambda line: piled(line, 2).close("server", 4000, "", 0.3)),
    ],
    "client-frame-left-half-sent": [
        played(lambda line: mid_frame(line, "server")), played(lambda line: mid_frame(line, by="client")),
        played(lambda line: piled(line).end("server", "rst")),
    ],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(unread_messages, SPEAKS, SILENT)


def test_nothing_is_said_of_pongs_in_a_file_without_them() -> None:
    assert not says("pings-unanswered-while-server-sends", played(deaf_to_pings), ["pings"])
