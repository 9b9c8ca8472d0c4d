"""The message with which a client must begin in protocols that have one, where the connection shows which it is.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md (connection_init), https://socket.io/docs/v4/socket-io-protocol/
(CONNECT), https://stomp.github.io/stomp-specification-1.2.html (CONNECT).
"""

from __future__ import annotations

from collections.abc import Iterable

GRAPHQL = b'{"type":"connection_init"}'
SOCKET_IO = b"40"
STOMP = b"CONNECT\naccept-version:1.2,1.1,1.0\nhost:localhost\n\n\0"

_BY_SUBPROTOCOL = {
    "graphql-transport-ws": GRAPHQL,
    "graphql-ws": GRAPHQL,
    "v10.stomp": STOMP,
    "v11.stomp": STOMP,
    "v12.stomp": STOMP,
}

_ENGINE_IO_OPEN = "engine.io:open"


def opening(subprotocol: str, client_kinds: Iterable[str], first_server_kind: str) -> bytes | None:
    """What the client of such a connection must say first and has not said; None where nothing like it is known.

    ``subprotocol`` is the one in force, the kinds are as a filter's ``kind=`` has them.
    """
    said = set(client_kinds)
    if subprotocol in _BY_SUBPROTOCOL:
        needed = _BY_SUBPROTOCOL[subprotocol]
        begun = "stomp:CONNECT", "stomp:STOMP", "graphql-ws:connection_init"
        return None if said.intersection(begun) else needed
    # Who speaks Engine.IO alone never joins a namespace; then nothing is missing, and nothing is lost by asking.
    if first_server_kind == _ENGINE_IO_OPEN and not any(kind.startswith("socket.io:") for kind in said):
        return SOCKET_IO
    return None
