"""GraphQL and STOMP: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from hangup.diagnosis.signs import subprotocols
from hangup.recording.events import Side
from layouts import Line, Tape
from signs_seen import Lay, said_and_silent, says

NEW, OLD = "graphql-transport-ws", "graphql-ws"
INIT, ACK = {"type": "connection_init", "payload": {}}, {"type": "connection_ack"}
QUERY = {"query": "subscription{x}"}
SUBSCRIBE = {"id": "1", "type": "subscribe", "payload": QUERY}
START = {"id": "1", "type": "start", "payload": QUERY}


def graphql(
    *said: object, asked: str = NEW, chosen: str | None = None, closer: Side = "server", path: str = "/graphql"
) -> Lay:
    """A client sends these messages and the server closes; ``chosen`` is what was asked for, if not given."""

    def play(line: Line, n: int) -> None:
        for message in said:
            line.client(message, 0.05)
            if message is INIT:
                line.server(ACK, 0.01)
        line.close(closer, 4400, "", 0.01)

    chosen = asked if chosen is None else chosen
    request = [("Sec-WebSocket-Protocol", asked)] if asked else []
    response = [("Sec-WebSocket-Protocol", chosen)] if chosen else []
    return lambda tape: tape.loop(play, path, count=3, request=request, response=response)


def stomp(
    client: str = "heart-beat:1000,1000",
    server: str = "heart-beat:1000,1000",
    *,
    beats: tuple[Side, ...] = (),
    lasts: float = 4.0,
    error: str = "",
    ping: bool = False,
    subprotocol: str = "v12.stomp",
) -> Lay:
    """STOMP is spoken, with these headers of its CONNECT and CONNECTED."""

    def play(line: Line, n: int) -> None:
        line.client(f"CONNECT\naccept-version:1.2\n{client}\n\n\0", 0.02)
        line.server(f"CONNECTED\nversion:1.2\n{server}\n\n\0", 0.01)
        for side in beats:
            line.say(side, "\n", 0.5)
        if ping:
            line.ping("server", 0.5).pong()
        if error:
            line.server(error, 0.1)
        line.close("server", 1002, "", lasts)

    protocols = [("Sec-WebSocket-Protocol", subprotocol)] if subprotocol else []
    return lambda tape: tape.loop(play, count=3, request=protocols, response=protocols)


def answered_with_an_error(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        line.client("CONNECT\nheart-beat:1000,1000\n\n\0", 0.02).server("CONNECTED\nheart-beat:1000,1000\n\n\0", 0.02)
        line.client("SEND\ndestination:/a\n\nx\0", 1.3 + n).client("\n", 0.001)
        line.server("ERROR\nmessage:malformed frame\n\n\0", 0.002).close("server", 1002, "", 0.001)

    tape.loop(play, count=3)


def no_stomp(tape: Tape) -> None:
    def play(line: Line, n: int) -> None:
        line.client('{"heart-beat":"1000,1000"}', 0.02).server('{"heart-beat":"1000,1000"}', 0.02)
        line.server({"type": "ERROR"}, 0.1).close("server", 4000, "", 4.0)

    tape.loop(play, count=3)


ERROR = "ERROR\nmessage:Session timeout\n\n\0"
SPEAKS: dict[str, Lay] = {
    "not-of-its-subprotocol": graphql(INIT, START),
    "subscribed-before-init": graphql(SUBSCRIBE),
    "heart-beats-agreed": stomp(),
    "no-heart-beat-sent": stomp(),
    "stomp-error": stomp(error=ERROR),
}
SILENT: dict[str, list[Lay]] = {
    "not-of-its-subprotocol": [
        graphql(INIT, SUBSCRIBE),
        graphql(INIT, START, asked=OLD),
        graphql(INIT, {"id": "1", "type": "complete"}, asked=OLD),  # of both
        graphql(INIT, START, asked=f"{NEW}, {OLD}", chosen=OLD),
        graphql(INIT, START, asked=f"{NEW}, {OLD}", chosen=""),  # may be either
        graphql(INIT, START, closer="client", asked=OLD),
        graphql(START, asked=""),
        graphql(SUBSCRIBE, asked="chat"),
    ],
    "subscribed-before-init": [
        graphql(INIT, SUBSCRIBE),
        graphql(INIT),
        graphql(),
        graphql({"type": "ping"}),
        graphql(SUBSCRIBE, closer="client"),
        graphql({"type": "subscribe", "room": "a"}, asked="chat"),
    ],
    "heart-beats-agreed": [
        stomp(server="heart-beat:0,0"),  # offered, and declined
        stomp(client="heart-beat:0,0"),
        stomp(client="heart-beat:0,1000", server="heart-beat:0,1000"),  # both want some and none sends any
        stomp(client="host:a"),
        stomp(server="session:1"),
        no_stomp,
    ],
    "no-heart-beat-sent": [
        stomp(beats=("client",)),
        stomp(beats=("server",)),
        stomp(lasts=0.5),  # none was due yet
        stomp(server="heart-beat:0,0"),
        no_stomp,
    ],
    "stomp-error": [
        stomp(),
        stomp(error="MESSAGE\ndestination:/a\nmessage-id:1\n\nERROR\0"),
        answered_with_an_error,
        no_stomp,
    ],
}


test_said, test_silent, test_complete = said_and_silent(subprotocols, SPEAKS, SILENT)


def test_the_other_subprotocol_is_told_the_other_way_round() -> None:
    (sign,) = says("not-of-its-subprotocol", graphql(INIT, SUBSCRIBE, asked=OLD))
    assert sign.text == "`subscribe` does not belong to the subprotocol graphql-ws"


def test_a_control_ping_is_no_heart_beat_of_stomp() -> None:
    assert says("no-heart-beat-sent", stomp(ping=True))


def test_heart_beats_go_at_the_slower_pace_of_the_two() -> None:
    (sign,) = says("heart-beats-agreed", stomp("heart-beat:0,5000", "heart-beat:2000,1000"))
    assert sign.text == "STOMP heart-beats were agreed on, one every 5.00 s"
