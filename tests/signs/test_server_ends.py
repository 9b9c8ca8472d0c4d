"""Ends of the server's side: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from hangup.diagnosis.signs import server_ends
from hangup.recording.events import End, Frame, How, Note, Raw, Side
from layouts import Headers, Line, Tape, greet
from signs_seen import Lay, lossy, said_and_silent, says


def closed(code: int | None, side: Side = "server") -> Lay:
    """Closed by a side, each time after a second."""
    return lambda tape: tape.loop(lambda line, n: greet(line).close(side, code, "", 1.0), count=3)


def cut(side: Side = "server", how: How = "fin", response: Headers | None = None) -> Lay:
    """Ended without a close frame."""
    return lambda tape: tape.loop(lambda line, n: greet(line).end(side, how, 1.0), count=3, response=response)


def asked(*request: tuple[str, str]) -> Lay:
    """The same, with headers of the request."""
    return lambda tape: tape.loop(lambda line, n: greet(line).end("server", after=1.0), count=3, request=request)


def refused(tape: Tape) -> None:
    for n in range(3):
        tape.open(0.5 + n, status=403, response=[("Server", "nginx"), ("Via", "gunicorn")])


def answered_by_a_close(tape: Tape) -> None:
    """The server's FIN comes first, and the client's CLOSE crosses it."""

    def play(line: Line, n: int) -> None:
        line = greet(line).wait(1.0)
        line._put(End(at=line.at, conn=line.conn, side="server", how="fin"))
        frame = Frame(
            at=line.at + 0.001, conn=line.conn, n=9, side="client", opcode="close", mask="00000000", code=1000
        )
        line._put(frame)._put(End(at=line.at + 0.002, conn=line.conn, side="client", how="fin"))

    tape.loop(play, count=3)


def half_a_close(tape: Tape) -> None:
    """The server left its close frame half sent."""

    def play(line: Line, n: int) -> None:
        greet(line).wait(1.0)
        raw = Raw(at=line.at, conn=line.conn, side="server", base64=b"\x88\x02\x03", problems=("half-frame",))
        line._put(raw).end("server", after=0.001)

    tape.loop(play, count=3)


def told(code: int | None, by: Side | None = None) -> Lay:
    """An import that tells that it ended, and perhaps a code."""

    def play(line: Line, n: int) -> None:
        line = greet(line).wait(1.0)
        line._put(Note(at=line.at, conn=line.conn, text="closed", ending=True, ended=True, code=code, by=by))

    return lambda tape: tape.loop(play, count=3)


def unread(tape: Tape) -> None:
    """Close frames of which the payload was not kept."""

    def play(line: Line, n: int) -> None:
        line = greet(line).wait(1.0)
        line._put(Frame(at=line.at, conn=line.conn, n=9, side="server", opcode="close", length=2)).end("server")

    tape.loop(play, count=3)


def of_two_codes(tape: Tape) -> None:
    """Of imports that do not tell who closed: they are one case."""
    told(1001)(tape)
    tape.delay = 20.0
    told(4000)(tape)


def named_in_words(tape: Tape) -> None:
    tape.loop(lambda line, n: greet(line).server({"error": "nginx, gunicorn"}).close("server", 1011, "gunicorn", 1.0))


def named_elsewhere(tape: Tape) -> None:
    for name in ("nginx", "gunicorn"):
        tape.talk(greet(tape.open(0.1, f"/{name}", response=[("Server", name)])), 9.0).end("client", by="proxy")
    cut()(tape)


SPEAKS: dict[str, Lay] = {
    "close-frame-sent": closed(1011),
    "no-close-frame": cut(),
    "close-frame-of-a-leaving-server": closed(1001),
    "a-proxy-stands-between": cut(response=[("Server", "nginx/1.25")]),
    "server-gunicorn": cut(response=[("Server", "gunicorn/21.2")]),
}

SILENT: dict[str, list[Lay]] = {
    "close-frame-sent": [cut(), cut(how="rst"), refused, closed(1000, "client"), answered_by_a_close, told(1006)],
    "no-close-frame": [
        closed(1011), closed(None), cut("client"), refused, half_a_close, told(None, "server"), told(None),
        lossy(cut()), unread,
    ],
    "close-frame-of-a-leaving-server": [
        closed(1000), closed(1012), closed(4001), closed(1001, "client"), cut(), unread, of_two_codes, told(1006),
    ],
    "a-proxy-stands-between": [
        cut(), asked(("User-Agent", "nginx"), ("Via", "1.1 envoy")), named_in_words, named_elsewhere, refused,
        cut("client", response=[("Server", "nginx")]),
    ],
    "server-gunicorn": [cut(), asked(("User-Agent", "gunicorn")), named_in_words, named_elsewhere, refused],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(server_ends, SPEAKS, SILENT)


def test_a_close_without_a_code_is_worded_so() -> None:
    for lay in (closed(None), told(1005)):
        (sign,) = says("close-frame-of-a-leaving-server", lay)
        assert sign.text == "a close frame without a code was sent"


def test_a_close_frame_without_its_payload_is_one() -> None:
    assert says("close-frame-sent", unread)


def test_the_servers_end_stays_its_own_when_a_close_of_the_client_crosses_it() -> None:
    (sign,) = says("no-close-frame", answered_by_a_close)
    assert sign.text == "the server sent no close frame"
