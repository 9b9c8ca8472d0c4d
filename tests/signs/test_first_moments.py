"""The first moments of a connection: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hangup.diagnosis.signs import first_moments
from hangup.recording.events import Side
from layouts import HELLO, Headers, Line, Tape
from signs_seen import Lay, said_and_silent, says

GRAPHQL: Headers = [("Sec-WebSocket-Protocol", "graphql-transport-ws")]


def ended(
    *ages: float, code: Any = "fin", said: int = 0, told: int = 0, by: Side = "server", reason: str = "", **more: Any
) -> Lay:
    """Connections of these ages (seconds); in so many of them the client had said something."""

    def lay(tape: Tape) -> None:
        at = 0.5
        for n, age in enumerate(ages or (0.02, 0.021, 0.02)):
            line = tape.open(at, "/ws", **more)
            until = line.at + age
            if n < said:
                line.client(HELLO)
            for _ in range(told):
                line.server({"type": "news"})
            line.at = until
            _end(line, by, code, reason)
            at = line.at + 0.5

    return lay


def _end(line: Line, by: Side, code: Any, reason: str) -> None:
    if code in ("fin", "rst"):
        line.end(by, code)
    else:
        line.close(by, code, reason)


def late(tape: Tape) -> None:
    """The client's message crosses the server's FIN."""
    for n in range(3):
        line = tape.open(0.5 + n, "/ws").end("server", after=0.02)
        line.at += 0.0001
        line.client(HELLO)


def refused(tape: Tape) -> None:
    for n in range(3):
        tape.open(0.5 + n, "/ws", status=403, response=[], request=GRAPHQL)


def still_open(tape: Tape) -> None:
    tape.open(0.5, "/ws", request=GRAPHQL).client(HELLO, 0.01)


def silent(*names: str, lays: Sequence[Lay] = (refused, still_open)) -> dict[str, list[Lay]]:
    return {name: list(lays) for name in names}


ECHOED: dict[str, Any] = {"request": GRAPHQL, "response": GRAPHQL}
SPEAKS: dict[str, Lay] = {
    "ended-at-once": ended(),
    "ended-soon-after-opening": ended(0.2, 0.3),
    "ended-later": ended(3.0, 4.0),
    "same-lifetime": ended(5.0, 5.05, 5.02),
    "client-had-said-nothing": ended(),
    "client-had-spoken": ended(said=3),
    "server-had-said-much": ended(told=8),
    "closed-as-libraries-close": ended(code=1011),
    "close-code-names-a-reason": ended(code=4001),
    "gave-a-reason": ended(code=1000, reason="bye"),
    "client-offers-a-subprotocol": ended(**ECHOED),
    "subprotocol-not-agreed": ended(request=GRAPHQL, problems=["subprotocol-not-echoed"]),
    "close-code-of-the-handshake": ended(code=4406),
    "speaks-graphql": ended(**ECHOED),
}
SILENT: dict[str, list[Lay]] = silent(*SPEAKS) | {
    "ended-at-once": [ended(0.2, 0.2), ended(0.01, 3.0, 3.0), refused, still_open],
    "ended-soon-after-opening": [ended(0.02), ended(0.5), refused],
    "ended-later": [ended(0.2), ended(0.02), refused],
    "same-lifetime": [ended(5.0), ended(5.0, 5.3), ended(0.02, 0.3), refused],
    "client-had-said-nothing": [ended(said=2), refused, still_open],
    "client-had-spoken": [ended(), late, refused, still_open],
    "server-had-said-much": [ended(told=5), ended(said=3), refused],
    "closed-as-libraries-close": [ended(), ended(code=1000, by="client"), ended(code=4000), ended(code=1001), refused],
    "close-code-names-a-reason": [ended(), ended(code=None), ended(code=1000), ended(code=4001, by="client"), refused],
    "gave-a-reason": [ended(code=1000), ended(), refused],
    "client-offers-a-subprotocol": [ended(response=GRAPHQL), ended(), refused],
    "subprotocol-not-agreed": [ended(**ECHOED), ended(problems=["accept-wrong"]), ended(request=GRAPHQL), refused],
    "close-code-of-the-handshake": [ended(2.0, code=4406), ended(code=1000), ended(code=1002, by="client"), refused],
    "speaks-graphql": [ended(), ended(request=[("Sec-WebSocket-Protocol", "mqtt")]), refused],
}


def test_a_lifetime_that_is_left_out_is_told() -> None:
    [sign] = says("same-lifetime", ended(5.0, 5.0, 5.01, 5.02, 5.0, 9.0))
    assert "except for one" in sign.text
    [sign] = says("same-lifetime", ended(5.0, 5.01))
    assert "except for one" not in sign.text


def test_what_crosses_the_end_was_not_sent_before() -> None:
    assert says("client-had-said-nothing", late)


test_said, test_silent, test_complete = said_and_silent(first_moments, SPEAKS, SILENT)
