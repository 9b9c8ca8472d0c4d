"""Engine.IO: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from hangup.diagnosis.signs import engine_io
from hangup.recording.events import Side
from layouts import Line, Tape
from signs_seen import Lay, said_and_silent, says

OPEN = '0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'


Said = tuple[Side, object]


def packets(
    *said: Said,
    version: str = "4",
    path: str = "/socket.io/",
    namespace: object = "40",
    closer: Side = "server",
    code: int | None = 1001,
) -> Lay:
    """Opens Engine.IO, asks for a namespace (unless None), exchanges packets every second, and ends."""

    def play(line: Line, n: int) -> None:
        line.server(OPEN, 0.01)
        if namespace is not None:
            line.client(namespace, 0.01)
        for side, packet in said:
            line.say(side, packet, 1.0)
        if code is None:
            line.end(closer, after=2.0)
        else:
            line.close(closer, code, "", 2.0)

    return lambda tape: tape.loop(play, f"{path}?EIO={version}&transport=websocket", count=3)


def plain_numbers(tape: Tape) -> None:
    """No Engine.IO: an application that sends numbers."""
    tape.loop(lambda line, n: line.server("2", 0.1).client("2", 1.0).close("server", 4000, "", 1.0), count=3)


PING: Said = "server", "2"
PONG: Said = "client", "3"
PINGED: Said = "client", "2"
PONGED: Said = "server", "3"
CHAT: Said = "client", '42["chat","a"]'
SPEAKS: dict[str, Lay] = {
    "engine-io-pings-unanswered": packets(PING),
    "both-sides-ping": packets(PING, PINGED),
    "asked-for-engine-io-3": packets(version="3"),
    "client-pings-in-engine-io-4": packets(PINGED),
    "no-engine-io-pings": packets(CHAT, version="3"),
    "no-namespace-asked-for": packets(namespace=None),
}
SILENT: dict[str, list[Lay]] = {
    "engine-io-pings-unanswered": [
        packets(PING, PONG),
        packets(CHAT),
        packets(("server", "2probe")),
        packets(PINGED),
        plain_numbers,
    ],
    "both-sides-ping": [packets(PING), packets(PINGED), packets(PING, PINGED, PONG), plain_numbers],
    "asked-for-engine-io-3": [packets(), packets(version="33"), plain_numbers],
    "client-pings-in-engine-io-4": [
        packets(PINGED, version="3"),
        packets(PINGED, PONGED),  # a server that answers all the same
        packets(("client", "2probe")),
        packets(CHAT),
        packets(PING, PONG),
        plain_numbers,
    ],
    "no-engine-io-pings": [packets(CHAT), packets(PINGED, version="3"), packets(PING, version="3"), plain_numbers],
    "no-namespace-asked-for": [
        packets(),
        packets(namespace="40/admin,"),
        packets(namespace=b"\x83\xa4type\x00\xa3nsp\xa1/"),  # as MessagePack
        packets(namespace=None, version="3"),  # whose servers open the namespace
        packets(namespace=None, path="/engine.io/"),
        packets(namespace=None, closer="client", code=4000),
        plain_numbers,
    ],
}


test_said, test_silent, test_complete = said_and_silent(engine_io, SPEAKS, SILENT)


def test_what_answers_late_still_answers() -> None:
    assert not says("engine-io-pings-unanswered", packets(PING, CHAT, CHAT, PONG))


def test_the_pings_of_all_connections_are_counted() -> None:
    (sign,) = says("engine-io-pings-unanswered", packets(PING, PING))
    assert sign.text == "the server sent 6 Engine.IO pings (`2`) and got no `3`"
    assert [(cite.conn, cite.frame) for cite in sign.cites] == [(1, 3), (2, 3), (3, 3)]
