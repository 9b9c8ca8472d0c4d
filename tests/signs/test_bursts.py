"""Ends in the middle of what a server sends: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from hangup.diagnosis.signs import bursts
from hangup.recording.events import Raw, Side
from layouts import Line, Tape, greet
from signs_seen import Lay, said_and_silent


def burst(
    count: int = 120, *, every: float = 0.002, pause: float = 0.01, echo: bool = False, side: Side = "server"
) -> Lay:
    """Rows, one ``every`` so many seconds, then a pause and the end."""

    def play(line: Line, n: int) -> None:
        line.client({"type": "subscribe"}, 0.01)
        for i in range(count):
            line.server({"type": "row", "id": i}, every)
            if echo:
                line.client({"type": "ack", "id": i}, 0.0001)
        line.end(side, "rst", after=pause)

    return lambda tape: tape.loop(play, count=3)


def half(left: Side = "server", ended: Side = "server", first: int = 3, problem: str = "half-frame") -> Lay:
    """Ends within a frame, on so many of three connections."""

    def play(line: Line, n: int) -> None:
        greet(line).wait(0.5)
        if n < first:
            line.tape.events.append(Raw(at=line.at, conn=line.conn, side=left, base64=b"\x81\x7e", problems=(problem,)))
        line.end(ended, "rst", after=0.001)

    return lambda tape: tape.loop(play, count=3)


def only_once(tape: Tape) -> None:
    burst()(tape)
    tape.loop(lambda line, n: greet(line).wait(1.0).end("server", "rst"), count=4)


SPEAKS: dict[str, Lay] = {
    "in-the-middle-of-a-burst": burst(60),
    "a-hundred-messages": burst(120),
    "frame-server-left-half-sent": half(),
}
SILENT: dict[str, list[Lay]] = {
    "in-the-middle-of-a-burst": [
        burst(pause=0.5),  # it is over
        burst(40),
        burst(every=0.1),  # a stream, at its pace
        burst(echo=True),  # a conversation
        burst(side="client"),
        only_once,
        half(),  # of a single message
    ],
    "a-hundred-messages": [burst(60), burst(pause=0.5), burst(every=0.1)],
    "frame-server-left-half-sent": [
        half("client"), half(ended="client"), half(first=1), half(problem="not-a-frame"), burst(),
    ],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(bursts, SPEAKS, SILENT)
