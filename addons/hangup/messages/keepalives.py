"""What the client of a protocol says to show that it is there, where it has nothing else to say.

OCPP-J 1.6, 4.2 (Heartbeat); https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md (ping); MQTT 3.1.1, 3.12
(PINGREQ); Phoenix.Socket (heartbeat); https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/HubProtocol.md
(Ping); https://stomp.github.io/stomp-specification-1.2.html (a line break).
"""

from __future__ import annotations

from collections.abc import Iterable

KEEPALIVES: dict[str, tuple[str, bytes]] = {
    "graphql-ws": ("text", b'{"type":"ping"}'),
    "mqtt": ("binary", b"\xc0\x00"),
    "ocpp": ("text", b'[2,"hangup-alive","Heartbeat",{}]'),
    "phoenix": ("text", b'[null,"hangup-alive","phoenix","heartbeat",{}]'),
    "signalr": ("text", b'{"type":6}\x1e'),
    "stomp": ("text", b"\n"),
}
"""By the names of protocols among kinds of messages: opcode and payload."""


def keepalive_of(protocols: Iterable[str]) -> tuple[str, bytes] | None:
    """The keepalive of the first of these protocols that has one."""
    return next((KEEPALIVES[name] for name in protocols if name in KEEPALIVES), None)
