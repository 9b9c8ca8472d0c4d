"""Size, frames and compression of the client's last message: each sign where it is said, and what looks like it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hangup.diagnosis.signs import message_frames
from hangup.recording.events import FilterEvent, Frame, Handshake
from layouts import Headers, Line, Tape
from signs_seen import Lay, lossy, said_and_silent, says

CHAT, LARGE, PACKED = {"type": "message", "text": "hi"}, {"type": "message", "text": "x" * 9000}, {"rsv": 4}
LITTLE_LARGER = {"type": "message", "text": "x" * 90}
ANONYMOUS: Headers = [("date", "Sun, 22 Nov 2026 21:08:00 GMT")]
LIBRARY: Headers = [("server", "Python/3.12 websockets/13.1")]


def ending(play: Callable[[Line], Any], last: Any, count: int = 4, after: float = 0.004, **more: Any) -> Lay:
    """Something is played, and then the server ends it at a last message."""

    def whole(line: Line, n: int) -> None:
        for _ in range(n + 1):
            play(line)
        line.client(last, 0.4, **more).end("server", after=after + (n if after > 1 else 0))

    return lambda tape: tape.loop(whole, count=count)


def chat(line: Line) -> Line:
    return line.client(CHAT, 0.4).server({"type": "ack"}, 0.01).client(CHAT, 0.4)


def nothing(line: Line) -> Line:
    return line.wait(0.5)


def saying(what: Any, **more: Any) -> Callable[[Line], Line]:
    return lambda line: chat(line).client(what, 0.4, **more)


def large_long_ago(line: Line) -> Line:
    """A large one, of which the recording's last messages show nothing any more."""
    line.client({"type": "message", "text": "x" * 20_000}, 0.4)
    for _ in range(40):
        line.client(CHAT, 0.1)
    return line


def large_ones_kept(tape: Tape) -> None:
    """Larger ones did not arrive: a filter kept them from the server."""
    ending(saying({"type": "upload", "data": "x" * 20_000}), LARGE)(tape)
    for frame in [event for event in tape.events if isinstance(event, Frame) and event.size > 20_000]:
        at, conn, n = frame.at, frame.conn, frame.n
        tape.events.append(FilterEvent(at=at, conn=conn, filter="drop", action="drop", side="client", n=n))


def in_fragments(line: Line) -> Line:
    return line.client("hel", 0.4, fin=False).client("lo", 0.01, opcode="continuation", message="hello")


def fragments(play: Callable[[Line], Any], end: float = 0.004) -> Lay:
    def whole(line: Line, n: int) -> None:
        for _ in range(n + 1):
            play(line)
        in_fragments(line).end("server", after=end + (n if end > 1 else 0))

    return lambda tape: tape.loop(whole, count=4)


def by_server(line: Line) -> Line:
    return chat(line).server({"type": "news"}, 0.1, rsv=4)


def answering(response: Headers | None, last: Any = CHAT) -> Lay:
    def whole(line: Line, n: int) -> None:
        chat(line).client(last, 0.4 + n).end("server", after=0.004)

    return lambda tape: tape.loop(whole, count=4, response=response)


def some_anonymous(tape: Tape) -> None:
    for at, response in ((0.5, ANONYMOUS), (5.0, LIBRARY), (9.0, ANONYMOUS)):
        chat(tape.open(at, response=response)).client({"type": "vote"}, 0.4).end("server", after=0.004)


def packed_ones(count: int, answer: str = "permessage-deflate", survives: int = 0) -> Lay:
    """The server ends each at the client's so many-th compressed message; one that stays open has said some as well."""

    def play(line: Line, n: int) -> None:
        chat(line)
        for _ in range(count):
            line.client(CHAT, 0.4 + n / 10, **PACKED)
        line.end("server", after=0.004)

    def lay(tape: Tape) -> None:
        tape.loop(play, count=3)
        if survives:
            line = chat(tape.open(60.0))
            for _ in range(survives):
                line.client(CHAT, 0.4, **PACKED)
            line.wait(9.0)
        for event in tape.events:
            if isinstance(event, Handshake) and event.response is not None:
                event.response.headers = [*event.response.headers, ("Sec-WebSocket-Extensions", answer)]

    return lay


SPEAKS: dict[str, Lay] = {
    "last-is-large": ending(nothing, LARGE),
    "larger-than-all-harmless": ending(chat, LARGE),
    "much-larger-than-all-harmless": ending(chat, LARGE),
    "smaller-ones-did-no-harm": ending(chat, LARGE),
    "last-frame-malformed": ending(chat, CHAT, problems=("reserved-bits",)),
    "last-is-not-utf8": ending(chat, b"\xff", opcode="text", problems=("invalid-utf8",)),
    "last-in-fragments": fragments(chat),
    "ended-at-the-first-compressed": ending(chat, CHAT, **PACKED),
    "ended-at-the-second-compressed": packed_ones(2, survives=1),
    "compressed-messages-did-no-harm": ending(saying(CHAT, **PACKED), CHAT, **PACKED),
    "server-compresses-too": ending(by_server, CHAT, **PACKED),
    "server-never-compresses": ending(chat, CHAT, **PACKED),
    "response-names-no-server": answering(ANONYMOUS, {"type": "vote"}),
    "server-library-is-known": answering(LIBRARY, {"type": "vote"}),
}

SILENT: dict[str, list[Lay]] = {
    "last-is-large": [ending(nothing, CHAT), ending(chat, LARGE), ending(nothing, LARGE, after=2.0)],
    "larger-than-all-harmless": [
        ending(saying(LARGE), LARGE), ending(large_long_ago, LARGE), ending(nothing, LARGE),
        ending(chat, LITTLE_LARGER), ending(saying({"type": "upload", "data": "x" * 9000}), LARGE),
        ending(chat, LARGE, after=2.0), ending(lambda line: chat(line).server(LARGE, 0.1), CHAT),
    ],
    "much-larger-than-all-harmless": [
        ending(saying(LARGE), LARGE), ending(large_long_ago, LARGE), ending(chat, LITTLE_LARGER),
    ],
    "smaller-ones-did-no-harm": [
        ending(chat, {"type": "upload", "data": "x" * 9000}), ending(nothing, LARGE), ending(large_long_ago, LARGE),
    ],
    "last-frame-malformed": [
        ending(chat, CHAT), ending(lambda line: chat(line).server(CHAT, 0.1, problems=("reserved-bits",)), CHAT),
        ending(saying(CHAT, problems=("reserved-bits",)), CHAT), ending(chat, CHAT, problems=("invalid-utf8",)),
    ],
    "last-is-not-utf8": [
        ending(chat, b"\xff"), ending(chat, "\ufffd"), ending(saying(b"\xff", opcode="text"), CHAT),
        ending(chat, CHAT, problems=("reserved-bits",)),
    ],
    "last-in-fragments": [
        fragments(lambda line: in_fragments(chat(line))), fragments(chat, 2.0), ending(in_fragments, CHAT),
        fragments(lambda line: line), ending(chat, CHAT),
    ],
    "ended-at-the-first-compressed": [
        ending(saying(CHAT, **PACKED), CHAT, **PACKED), ending(chat, CHAT), ending(by_server, CHAT),
        lossy(ending(chat, CHAT, **PACKED)), ending(chat, CHAT, after=2.0, **PACKED),
    ],
    "ended-at-the-second-compressed": [
        packed_ones(1), packed_ones(3), packed_ones(2, survives=2), lossy(packed_ones(2)), ending(chat, CHAT),
        packed_ones(2, "permessage-deflate; client_no_context_takeover"),
    ],
    "compressed-messages-did-no-harm": [ending(chat, CHAT, **PACKED), ending(saying(CHAT, **PACKED), CHAT)],
    "server-compresses-too": [ending(chat, CHAT, **PACKED), ending(by_server, CHAT)],
    "server-never-compresses": [
        ending(by_server, CHAT, **PACKED), ending(chat, CHAT), ending(nothing, CHAT, **PACKED),
        lossy(ending(chat, CHAT, **PACKED)),
    ],
    "response-names-no-server": [answering(LIBRARY, {"type": "vote"}), some_anonymous],
    "server-library-is-known": [
        answering(ANONYMOUS, {"type": "vote"}), answering([("server", "gateway of the house")], {"type": "vote"}),
    ],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(message_frames, SPEAKS, SILENT)


def test_what_a_filter_kept_from_the_server_did_it_no_harm() -> None:
    assert says("larger-than-all-harmless", large_ones_kept)


def test_a_file_without_headers_names_no_server_and_that_means_nothing() -> None:
    assert not says("response-names-no-server", answering([], {"type": "vote"}), ["headers"])


def test_how_many_is_said_where_not_all_are_so() -> None:
    def play(line: Line, n: int) -> None:
        chat(line).client(CHAT, 0.4 + n, problems=("reserved-bits",) if n else ()).end("server", after=0.004)

    (sign,) = says("last-frame-malformed", lambda tape: tape.loop(play, count=4))
    assert sign.text == "3 of 4 last messages have malformed frames: reserved-bits"
