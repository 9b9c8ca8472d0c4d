"""Credentials: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hangup.diagnosis.signs import credentials
from layouts import HELLO, Line, Tape, jwt
from signs_seen import Lay, said_and_silent, says

Sent = Sequence[tuple[str, str]]

LONG_AGO, FAR_OFF = jwt(1_700_000_000), jwt(4_000_000_000)
AUTH = {"type": "hello", "data": {"accessToken": "a"}}


def closed(
    path: str = "/ws", *, code: int | None = 4001, first: Any = None, request: Sent = (), by: Any = "server"
) -> Lay:  # fmt: skip
    """Three connections that are closed soon after opening, perhaps after the client's first message."""

    def play(line: Line, n: int) -> None:
        if first is not None:
            line.client(first, 0.01)
        line.close(by, code, "", 0.02)

    return lambda tape: tape.loop(play, path, count=3, request=request)


def after_one_that_was_served(lay: Lay, path: str, request: Sent = (), at: float = 0.1) -> Lay:
    """The same, and one that stayed open."""

    def lay_both(tape: Tape) -> None:
        tape.talk(tape.open(at, path, request=request), 20.0).end("server", by="proxy")
        lay(tape)

    return lay_both


def one_each(paths: list[str]) -> Lay:
    """Each connection asks for something else."""

    def lay(tape: Tape) -> None:
        for n, path in enumerate(paths):
            tape.open(0.5 + n, path).close("server", 4001, "", 0.02)

    return lay


def cookies(*values: str) -> Lay:
    """Each connection has another cookie."""

    def lay(tape: Tape) -> None:
        for n, value in enumerate(values):
            tape.open(0.5 + n, "/ws", request=[("Cookie", value)]).close("server", 4001, "", 0.02)

    return lay


def crossing(tape: Tape) -> None:
    """The client's credential crosses the server's CLOSE."""
    for n in range(3):
        line = tape.open(0.5 + n, "/ws").close("server", 4001, "", 0.02)
        line.at -= 0.002
        line.client(AUTH)


SPEAKS: dict[str, Lay] = {
    "request-carries-credential": closed("/ws?access_token=s3cr3t"),
    "same-credential-each-time": closed(request=[("Cookie", "sid=1")]),
    "same-credential-served-first": after_one_that_was_served(closed("/ws?token=a"), "/ws?token=a"),
    "client-begins-with-a-credential": closed(first=AUTH),
    "no-credential": closed(first=HELLO),
    "token-expired": closed(f"/ws?token={LONG_AGO}"),
    "token-not-expired": closed(request=[("Authorization", f"Bearer {FAR_OFF}")]),
    "close-code-of-refused-credentials": closed(code=4401),
}
SILENT: dict[str, list[Lay]] = {
    "request-carries-credential": [
        closed("/ws?author=ada&tokens=3&keyword=x"), closed("/ws?token="), closed("/ws?token=undefined"),
        closed(request=[("Sec-WebSocket-Protocol", "graphql-transport-ws, authors-v1")]), closed(first=AUTH),
    ],
    "same-credential-each-time": [
        cookies("sid=1", "sid=2", "sid=3"), one_each(["/ws?token=a", "/ws?token=b"]), one_each(["/ws?token=a"]),
        closed("/ws?room=1"),
    ],
    "same-credential-served-first": [
        after_one_that_was_served(closed("/ws?token=a"), "/ws?token=b"),
        after_one_that_was_served(closed(request=[("Cookie", "sid=2")]), "/ws", [("Cookie", "sid=1")]),
        after_one_that_was_served(closed("/ws?token=a"), "/ws?token=a", at=30.0),  # later
        after_one_that_was_served(closed("/ws"), "/ws"),
    ],
    "client-begins-with-a-credential": [
        closed(first={"type": "keypress", "key": "a"}), closed(first={"type": "post", "author": "ada"}),
        closed(first={"type": "complete", "max_tokens": 9}), closed("/ws?token=a", first=AUTH), crossing,
    ],
    "no-credential": [closed(first=AUTH), closed("/ws?sessionId=a"), closed(request=[("Cookie", "sid=1")])],
    "token-expired": [
        closed(f"/ws?token={FAR_OFF}"), closed("/ws?token=eyJhbGciOi.notjson.c2ln"),
        closed("/ws?token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln"),  # which never expires
    ],
    "token-not-expired": [
        closed(f"/ws?token={LONG_AGO}"), closed("/ws?token=abc"),
        closed(f"/ws?token={FAR_OFF}", request=[("Cookie", f"session={LONG_AGO}")]),
        one_each([f"/ws?token={FAR_OFF}", f"/ws?token={LONG_AGO}"]),
    ],
    "close-code-of-refused-credentials": [closed(code=4000), closed(code=None), closed(code=4401, by="client")],
}  # fmt: skip


def test_headers_that_are_not_told_may_have_been_there() -> None:
    assert not says("no-credential", closed(first=HELLO), ["headers"])


def test_a_plain_code_is_stronger_than_one_of_many_uses() -> None:
    [plain], [vague] = (says("close-code-of-refused-credentials", closed(code=code)) for code in (4401, 1008))
    assert plain.strength > vague.strength


test_said, test_silent, test_complete = said_and_silent(credentials, SPEAKS, SILENT)
