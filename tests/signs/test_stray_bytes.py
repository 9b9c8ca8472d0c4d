"""Bytes that are no frame: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from hangup.diagnosis.signs import stray_bytes
from hangup.recording.events import Raw, Side
from layouts import UVICORN, Headers, Line, Tape, greet
from signs_seen import Lay, said_and_silent, says

HTTP = "HTTP/1.1 400 Bad Request\r\n"
PATH = "/ws/1"


def stray(
    text: str = "xyz",
    side: Side = "server",
    *,
    talk: bool = True,
    first: int = 3,
    path: str = PATH,
    response: Headers = UVICORN,
    problem: str = "not-a-frame",
    unsound: str = "",
) -> Lay:
    """A side sends such bytes, on so many of three connections."""

    def play(line: Line, n: int) -> None:
        if talk:
            problems = (unsound,) if unsound else ()
            for _ in range(2):
                line.client({"type": "a"}, 0.1, problems=problems).server({"type": "b"}, 0.1, problems=problems)
        if n < first:
            line.tape.events.append(Raw(at=line.at, conn=line.conn, side=side, text=text, problems=(problem,)))
        line.end("server", after=0.002)

    return lambda tape: tape.loop(play, path, count=3, response=response)


def http_in_a_message(tape: Tape) -> None:
    tape.loop(lambda line, n: line.server(HTTP, 0.01).end("server", after=0.002), count=3)


def refused(tape: Tape) -> None:
    for n in range(3):
        tape.open(0.5 + n, status=400, text=HTTP)


def after_the_end(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        greet(line).close("server", 4000, "", 0.5)
        line.tape.events.append(Raw(at=line.at, conn=line.conn, side="server", text=HTTP, problems=("not-a-frame",)))

    tape.loop(play, count=3)


HALF = stray(problem="half-frame")
SPEAKS: dict[str, Lay] = {
    "http-after-the-101": stray(HTTP, talk=False),
    "http-after-the-101:engine-io": stray(HTTP, talk=False, path="/socket.io/?EIO=5&transport=websocket"),
    "bytes-that-are-no-frame": stray(),
    "library-writes-sound-frames": stray(),
    "earlier-frames-sound": stray(),
}
SILENT: dict[str, list[Lay]] = {
    "http-after-the-101": [
        stray("GET / HTTP/1.1\r\n", "client"),
        stray(HTTP, "client"),
        stray(HTTP, first=1),
        stray(),
        stray(HTTP, problem="half-frame"),
        http_in_a_message,
        after_the_end,
        refused,
    ],
    "http-after-the-101:engine-io": [stray(HTTP, talk=False), stray(path="/socket.io/?EIO=4")],
    "bytes-that-are-no-frame": [stray(HTTP), stray(first=1), HALF, http_in_a_message, after_the_end, refused],
    "library-writes-sound-frames": [stray(response=[]), stray(side="client"), stray(HTTP), HALF],
    "earlier-frames-sound": [stray(talk=False), stray(unsound="rsv"), stray(HTTP), HALF],
}


test_said, test_silent, test_complete = said_and_silent(stray_bytes, SPEAKS, SILENT)


def test_the_bytes_of_a_client_are_said_to_be_its() -> None:
    (sign,) = says("bytes-that-are-no-frame", stray("GET / HTTP/1.1", "client"))
    assert sign.text == "the client sent bytes that are not a frame: GET / HTTP/1.1"
