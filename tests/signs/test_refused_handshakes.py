"""Handshakes that are not answered with a 101: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Sequence

from hangup.diagnosis.signs import refused_handshakes
from hangup.diagnosis.signs.refused_handshakes import STATUSES
from layouts import Tape, greet, jwt
from signs_seen import Lay, said_and_silent, says, seen

Sent = Sequence[tuple[str, str]]

COOKIE = [("Cookie", "sid=1")]


def refused(status: int = 403, path: str = "/ws", server: str = "", location: str = "", request: Sent = ()) -> Lay:
    """Three handshakes that are answered so."""
    response = [("Server", server)] * bool(server) + [("Location", location)] * bool(location)

    def lay(tape: Tape) -> None:
        for n in range(3):
            tape.open(10.0 + n, path, status=status, response=response, request=request)

    return lay


def unanswered(error: str = "the server closed the connection", waited: float = 2.0, left: bool = False) -> Lay:
    """Three to which no answer comes; the client may be the first to go."""

    def lay(tape: Tape) -> None:
        for n in range(3):
            line = tape.open(10.0 + 3 * n, "/ws", error=error, waited=waited)
            if left:
                line.at -= 0.001
                line.end("client")

    return lay


def served(lay: Lay, path: str = "/ws", seconds: float = 5.0, request: Sent = (), at: float = 1.0) -> Lay:
    """The same, and another connection that was served."""

    def lay_both(tape: Tape) -> None:
        lay(tape)
        tape.talk(greet(tape.open(at, path, request=request)), seconds).end("server", by="proxy")

    return lay_both


def dropped(tape: Tape) -> None:
    """Opened, and ended at once."""
    for n in range(3):
        tape.open(10.0 + n, "/ws").end("server", after=0.01)


SPEAKS: dict[str, Lay] = {f"status-{status}": refused(status) for status in STATUSES} | {
    "another-status:4xx": refused(418),
    "another-status:5xx": refused(521),
    "handshake-not-answered": unanswered(),
    "waited-in-vain": unanswered(),
    "redirects:to-a-login": refused(302, location="/accounts/login/?next=/ws"),
    "redirects:to-the-same-path": refused(301, location="/ws/"),
    "redirects:to-another-path": refused(307, location="https://example.com/live"),
    "habit-of-the-server:without-a-library": refused(404, server="uvicorn"),
    "habit-of-the-server:not-to-an-unknown-path": refused(403, server="TornadoServer/6.4"),
    "habit-of-the-server:to-an-unknown-origin": refused(403, server="daphne"),
    "habit-of-the-server:to-an-unknown-path": refused(500, server="daphne"),
    "some-such-requests-served": served(refused()),
    "same-request-served-another-time": served(refused()),
    "same-request-served-later": served(refused(), at=20.0),
    "same-request-without-credential-served": served(refused()),
}
SILENT: dict[str, list[Lay]] = {
    f"status-{status}": [refused(status + 1), dropped, unanswered()] for status in STATUSES
} | {
    "another-status": [refused(404), refused(503), dropped],
    "handshake-not-answered": [refused(504), unanswered(left=True), unanswered("connection refused"), dropped],
    "waited-in-vain": [unanswered(waited=0.3), unanswered(left=True), refused(504)],
    "redirects:to-a-login": [
        refused(302, location="/authors/ws"), refused(302, location="/blogging/in?next=/login"), refused(302),
        refused(201, location="/login"),  # which names what was created, and is no redirect
    ],
    "redirects:to-the-same-path": [refused(301, location="/ws/2"), refused(301, location="http://[/ws")],
    "redirects:to-another-path": [refused(301, location="/ws/"), refused(302, location="/login"), refused(200)],
    "habit-of-the-server:without-a-library": [refused(404, server="nginx"), refused(403, server="uvicorn")],
    "habit-of-the-server:not-to-an-unknown-path": [refused(403, server="uvicorn"), refused(404, server="aiohttp")],
    "habit-of-the-server:to-an-unknown-origin": [refused(403, server="uvicorn"), refused(404, server="daphne")],
    "habit-of-the-server:to-an-unknown-path": [refused(500, server="uvicorn"), refused(404, server="daphne")],
    "some-such-requests-served": [refused(), served(refused(), "/notifications"), served(dropped)],
    "same-request-served-another-time": [
        refused(), served(refused(), "/ws?room=2"), served(dropped, seconds=1.0), served(dropped, "/ws?v=2"),
    ],
    "same-request-served-later": [refused(), served(refused()), served(refused(), "/ws?room=2", at=20.0)],
    "same-request-without-credential-served": [
        served(refused(request=COOKIE)),
        served(refused(path=f"/ws?token={jwt(1)}"), f"/ws?token={jwt(1)}"),
        served(refused(), "/ws?room=2"),
    ],
}  # fmt: skip


def test_one_status_is_said_of_each_answer() -> None:
    for status in (200, 403, 418, 599):
        assert sum("status" in name for name in seen(refused(status))) == 1


def test_headers_that_are_not_told_may_have_been_there() -> None:
    assert not says("same-request-without-credential-served", served(refused()), ["headers"])


test_said, test_silent, test_complete = said_and_silent(refused_handshakes, SPEAKS, SILENT)
