"""What a refused handshake asks for: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hangup.diagnosis.signs import requests
from hangup.recording import events as ev
from layouts import Headers, Tape, greet
from signs_seen import Lay, says, untested

Sent = Sequence[tuple[str, str]]


def refused(path: str = "/ws", status: int = 403, served: str = "", request: Sent = (), version: str = "") -> Lay:
    """Three refused handshakes, and perhaps a path that is served."""

    def lay(tape: Tape) -> None:
        if served:
            tape.talk(greet(tape.open(0.5, served, request=request)), 5.0).end("server", by="proxy")
        for n in range(3):
            tape.open(10.0 + n, path, status=status, response=[], request=request)
        for event in tape.events:
            if isinstance(event, ev.Handshake) and version:
                event.request.version = version

    return lay


def opened(path: str, request: Sent = (), junk: str = "") -> Lay:
    """What is opened, and ends."""

    def lay(tape: Tape) -> None:
        for n in range(3):
            line = tape.open(0.5 + n, path, request=request).wait(0.01)
            if junk:
                tape.events.append(
                    ev.Raw(at=line.at, conn=line.conn, side="server", text=junk, problems=("not-a-frame",))
                )
            line.end("server", after=0.01)

    return lay


VITE: Headers = [("Sec-WebSocket-Protocol", "vite-hmr")]
SPEAKS: dict[str, Lay] = {
    "odd-path:doubled": refused("/api/ws/api/ws"),
    "odd-path:empty-part": refused("//ws"),
    "odd-path:ends-with-a-slash": refused("/ws/"),
    "nothing-odd-about-path": refused("/ws"),
    "related-path-served": refused("/ws", served="/api/ws"),
    "target-holds-no-value": refused("/ws/undefined"),
    "other-parameter-served": refused("/ws/general", served="/ws/7"),
    "request-is-not-http-1-1": refused(version="HTTP/1.0"),
    "dev-servers-socket-at-the-backend": refused(request=VITE),
    "request-head-large": refused(request=[("Cookie", "x" * 7000)]),
    "request-names-eio": refused("/socket.io/?EIO=3&transport=websocket", status=400),
}
VALUES = ("/ws/user-undefined", "/ws?room=null", "/ws/%7Bid%7D", "/ws/${id}", "/ws/[object%20Object]", "/ws/{{room}}")
SPEAKS_TOO: dict[str, Lay] = {f"target-holds-no-value {path}": refused(path) for path in VALUES} | {
    "odd-path:doubled ws": refused("/ws/ws"),
    "related-path-served slash": refused("/ws/", served="/ws"),
    "request-names-eio after the 101": opened("/socket.io/?EIO=3", junk="HTTP/1.1 400 Bad Request"),
}
SILENT: dict[str, list[Lay]] = {
    "odd-path:doubled": [refused("/ws/wss"), refused("/api/ws/api"), refused("/a/b/a"), opened("/ws/ws")],
    "odd-path:empty-part": [refused("/ws/?next=//x"), refused("/")],
    "odd-path:ends-with-a-slash": [refused("/"), refused("/ws?next=/"), opened("/ws/")],
    "nothing-odd-about-path": [refused("/ws/"), refused("//ws"), refused("/ws/ws"), refused("/ws", 404), opened("/ws")],
    "related-path-served": [
        refused("/ws"), refused("/ws", served="/ws"), refused("/ws?v=2", served="/ws"), refused("/ws", served="/live"),
    ],
    "target-holds-no-value": [
        refused("/nullable/Nancy"), refused("/None-of-them/nullisland"), refused("/undefined-behaviour"),
        refused("/ws?filter=%7B%22a%22:1%7D"), refused("/ws?price=$5&$filter=x"), opened("/ws/undefined"),
    ],
    "other-parameter-served": [
        refused("/ws/general", served="/ws/7/8"), refused("/ws/general", served="/ws/general"),
        refused("/ws/a/b", served="/ws/c/d"), refused("/ws", served="/live"), refused("/ws/general"),
    ],
    "request-is-not-http-1-1": [refused(), refused(version="http/1.1"), refused(version="unknown")],
    "dev-servers-socket-at-the-backend": [
        refused(request=[("Sec-WebSocket-Protocol", "invite-hmr")]), opened("/", VITE), refused("/vite-hmr"),
    ],
    "request-head-large": [refused(request=[("Cookie", "x" * 3000)]), opened("/ws", [("Cookie", "x" * 7000)])],
    "request-names-eio": [
        refused("/ws?eio=3"), refused("/socket.io/"), opened("/socket.io/?EIO=3"),
        opened("/ws", junk="HTTP/1.1 400 Bad"), opened("/socket.io/?EIO=3", junk="Unexpected"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", SPEAKS | SPEAKS_TOO)
def test_said(name: str) -> None:
    assert says(name.partition(" ")[0], (SPEAKS | SPEAKS_TOO)[name])


@pytest.mark.parametrize(("name", "lay"), [(name, lay) for name, lays in SILENT.items() for lay in lays])
def test_not_said_of_what_looks_alike(name: str, lay: Lay) -> None:
    assert not says(name, lay)


def test_only_numbers_are_said_to_be_served_where_only_they_are() -> None:
    [numbers] = says("other-parameter-served", refused("/ws/general", served="/ws/7"))
    [words] = says("other-parameter-served", refused("/ws/general", served="/ws/random"))
    assert "numbers" in numbers.text and "numbers" not in words.text


def test_every_sign_is_in_both_tables() -> None:
    assert not untested(requests, SPEAKS, SILENT)
