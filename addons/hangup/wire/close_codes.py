"""What a close code means, for somebody who has to find out why the connection closed.

RFC 6455 7.4 splits the numbers into ranges; IANA registers 1000-1015 and a few of 3000-3999; 4000-4999 is
anybody's. So a number alone says little above 3000: :data:`USES` tells which stacks are known to send it and
what they mean by it, each with its source, and more than one may apply. Below 3000 it tells which stacks send
a code in an unexpected sense (``1000 "ping timed out"``).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

RFC = "RFC 6455 7.4.1"
IANA = "IANA, WebSocket Close Code Number Registry"
MEASURED = "measured"
"""Seen on the wire from a raw-socket client, on loopback, with the versions that the text names."""


class CloseCode(NamedTuple):
    """A registered close code: ``name`` is IANA's, ``text`` explains it, ``source`` defines it."""

    code: int
    name: str
    text: str
    source: str = RFC


class Use(NamedTuple):
    """What one stack means by a code: ``text`` in words, ``source`` the document or file that says so."""

    stack: str
    text: str
    source: str


REGISTERED: dict[int, CloseCode] = {
    entry.code: entry
    for entry in (
        CloseCode(
            1000,
            "Normal Closure",
            "the sender is done. Not always a sign of health: some stacks close with 1000 on a timeout "
            "too, so read the reason",
        ),
        CloseCode(
            1001,
            "Going Away",
            "the sender is leaving: a server that shuts down, or a browser whose page was closed, "
            "reloaded or left",
        ),
        CloseCode(
            1002,
            "Protocol Error",
            "the sender received bytes that break the WebSocket protocol: an unmasked client frame, a "
            "reserved bit or opcode, a compressed frame that was not negotiated, a control frame that "
            "is too long",
        ),
        CloseCode(
            1003,
            "Unsupported Data",
            "the sender does not accept this type of message: binary where text was expected, or the reverse",
        ),
        CloseCode(1004, "Reserved", "has no meaning and must not be sent"),
        CloseCode(
            1005,
            "No Status Received",
            "the other side sent a close frame without a code. Never on the wire: it is what an API "
            "reports for an empty close frame",
        ),
        CloseCode(
            1006,
            "Abnormal Closure",
            "the connection ended without a close frame: the peer crashed, its handler returned or "
            "raised, its process was killed, or something in between cut the connection. Never on the "
            "wire: it is what an API reports when TCP ended (FIN, RST or timeout), and what a browser "
            "reports for a failed handshake",
        ),
        CloseCode(
            1007,
            "Invalid Frame Payload Data",
            "the sender received a message whose content does not fit its type, usually text that is "
            "not UTF-8, or compressed data that cannot be decompressed",
        ),
        CloseCode(
            1008,
            "Policy Violation",
            "the sender refuses to go on by a rule of its own: not logged in, not allowed, a limit "
            "reached; the general code where no other fits",
        ),
        CloseCode(
            1009,
            "Message Too Big",
            "the sender received a message over its size limit. A client that sends the same message "
            "again after reconnecting ends in a loop",
        ),
        CloseCode(
            1010,
            "Mandatory Extension",
            "the client needs an extension that the server did not choose in the handshake",
        ),
        CloseCode(
            1011,
            "Internal Error",
            "the server hit something unexpected, usually an exception in the handler; several "
            "libraries also send it when their ping was not answered in time (the reason tells)",
        ),
        CloseCode(1012, "Service Restart", "the server is restarting: reconnect after a random pause", IANA),
        CloseCode(1013, "Try Again Later", "the server is overloaded and sheds clients: back off", IANA),
        CloseCode(
            1014,
            "Bad Gateway",
            "a gateway got an invalid answer from the server behind it, as HTTP 502",
            IANA,
        ),
        CloseCode(
            1015,
            "TLS Handshake",
            "the TLS handshake failed, for example over a certificate that is not trusted. Never on the "
            "wire: it is what an API reports",
        ),
        CloseCode(3000, "Unauthorized", "who connects must log in first, as HTTP 401", IANA),
        CloseCode(3003, "Forbidden", "who connects is known and not allowed, as HTTP 403", IANA),
        CloseCode(3008, "Timeout", "the sender waited too long for something, as HTTP 408", IANA),
    )
}
"""IANA's registry, by code."""

NEVER_SENT = frozenset({1004, 1005, 1006, 1015})
"""Registered, and never allowed in a close frame (7.4.1)."""

_STACKS: tuple[tuple[str, str, dict[int, str]], ...] = (
    (
        "Tornado 6.6",
        MEASURED,
        {1000: "also sent, with the reason 'ping timed out', when a ping was not answered in time"},
    ),
    (
        "Phoenix JS client",
        "phoenixframework/phoenix assets/js/phoenix/socket.js",
        {1000: "also sent, with the reason 'heartbeat timeout', when the server did not answer a heartbeat"},
    ),
    (
        "SignalR client (.NET)",
        "dotnet/aspnetcore WebSocketsTransport.cs",
        {1000: "the connection was stopped without an error", 1011: "sending or receiving raised an error"},
    ),
    (
        "Starlette WebSocketEndpoint",
        MEASURED,
        {1003: "with encoding = 'json': the message was not JSON (a text 'ping', say)"},
    ),
    (
        "Engine.IO and Socket.IO 4",
        "socketio/engine.io lib/transports/websocket.ts",
        {1005: "the server closes without a code: a ping that was not answered, or a packet it cannot parse"},
    ),
    (
        "FastAPI",
        "fastapi/exception_handlers.py; measured",
        {
            1008: "a parameter of the endpoint did not validate; as that is before accept, uvicorn answers "
            "HTTP 403 instead and only the test client shows this code"
        },
    ),
    (
        "uvicorn and Python websockets",
        MEASURED,
        {1011: "with the reason 'keepalive ping timeout': a control ping had no pong in time"},
    ),
    ("Django Channels", MEASURED, {1011: "the consumer raised an exception"}),
    ("uvicorn 0.54", MEASURED, {1012: "the server got SIGTERM, or --reload saw a file change"}),
    (
        "Spring (Java)",
        "spring-projects/spring-framework CloseStatus.java",
        {
            4500: "SESSION_NOT_RELIABLE: sending timed out or its buffer overflowed, or no message came "
            "within timeToFirstMessage (60 s)"
        },
    ),
    (
        "SockJS",
        "spring-projects/spring-framework SockJsFrame.java; sockjs-protocol",
        {3000: "'Go away!': the session was closed"},
    ),
    (
        "Centrifugo",
        "centrifugal/centrifuge disconnect.go",
        {
            3000: "connection closed",
            3001: "the node shuts down (reconnect)",
            3004: "internal server error (reconnect)",
            3005: "the connection expired (reconnect with a fresh token)",
            3006: "a subscription expired (reconnect)",
            3008: "the client reads too slowly (reconnect)",
            3009: "writing to the client failed (reconnect)",
            3010: "the client's position in the stream is wrong (reconnect)",
            3011: "the server asks to reconnect",
            3012: "the client did not answer the protocol's ping with a pong (reconnect)",
            3500: "invalid token (do not reconnect)",
            3501: "bad request: malformed or misplaced command (do not reconnect)",
            3502: "stale: the client did not authenticate in time (do not reconnect)",
            3503: "the server asks to go and not to come back",
            3504: "connection limit (do not reconnect)",
            3505: "channel limit (do not reconnect)",
        },
    ),
    (
        "graphql-ws",
        "enisdenjo/graphql-ws src/common.ts, PROTOCOL.md",
        {
            4004: "bad response: the client got something that it cannot use",
            4005: "internal client error",
            4400: "bad request: not a message of this protocol (the older 'start', a text 'ping')",
            4401: "subscribed before connection_ack",
            4403: "forbidden: onConnect refused",
            4406: "subprotocol not acceptable: 'graphql-transport-ws' was not negotiated",
            4408: "no connection_init within the time allowed (3 s by default)",
            4409: "a subscription with this id already exists",
            4429: "a second connection_init",
            4499: "the client itself called terminate()",
            4500: "internal server error",
            4504: "the client waited too long for connection_ack",
        },
    ),
    (
        "Pusher and Laravel Reverb",
        "pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol",
        {
            4000: "only TLS is accepted: use wss://",
            4001: "no application with this key",
            4003: "the application is disabled",
            4004: "the application is over its connection quota",
            4005: "path not found",
            4006: "invalid version string",
            4007: "unsupported protocol version",
            4008: "no protocol version given",
            4009: "not authorized (Reverb: origin not allowed)",
            4100: "over capacity: reconnect after 1 s or more",
            4200: "reconnect at once",
            4201: "the client did not answer a ping with a pong",
            4202: "closed after inactivity",
        },
    ),
    (
        "Discord gateway",
        "discord/discord-api-docs docs/topics/Opcodes_and_Status_Codes.md",
        {
            4000: "unknown error: reconnect",
            4001: "unknown opcode, or an invalid payload for it",
            4002: "a payload that cannot be decoded",
            4003: "a payload before identify",
            4004: "wrong token (do not reconnect)",
            4005: "identified twice",
            4006: "(voice) the session is no longer valid",
            4007: "invalid sequence when resuming: start a new session",
            4008: "rate limited",
            4009: "the session timed out: start a new one",
            4010: "invalid shard (do not reconnect)",
            4011: "sharding required (do not reconnect)",
            4012: "invalid API version (do not reconnect)",
            4013: "invalid intents (do not reconnect)",
            4014: "disallowed intents; (voice) disconnected from the channel (do not reconnect)",
            4015: "(voice) the server crashed: resume",
            4016: "(voice) unknown encryption mode",
        },
    ),
    (
        "Twitch EventSub",
        "dev.twitch.tv/docs/eventsub/handling-websocket-events",
        {
            4000: "internal server error",
            4001: "the client sent something: only pongs are allowed",
            4002: "a ping was not answered",
            4003: "no subscription within 10 s",
            4004: "did not move to the reconnect URL within 30 s",
            4005: "network timeout",
            4006: "network error",
            4007: "invalid reconnect URL",
        },
    ),
    (
        "SocketCluster",
        "SocketCluster/sc-errors",
        {
            4000: "the client saw no ping of the server in time",
            4001: "the server saw no pong of the client in time",
            4002: "the server could not sign the auth token",
            4003: "the handshake failed",
            4004: "the client could not save the auth token",
            4005: "no #handshake from the client in time",
            4006: "the socket could not be bound to the message broker",
            4007: "the client's connect timed out",
            4008: "the server rejected the client's handshake",
            4009: "a message came before the client's handshake",
        },
    ),
    (
        "Colyseus",
        "docs.colyseus.io/room, table of WebSocket close codes",
        {
            4000: "the client left by room.leave()",
            4001: "the server shuts down",
            4002: "closed because of an error",
            4003: "all attempts to reconnect failed",
            4010: "the development server restarted: the client may reconnect",
        },
    ),
    (
        "Liveblocks",
        "liveblocks/liveblocks packages/liveblocks-core, WebsocketCloseCodes",
        {
            4000: "invalid message format",
            4001: "not allowed",
            4002: "too many messages a second",
            4003: "too many concurrent connections",
            4004: "too many messages today",
            4005: "the room is full",
            4999: "close and do not retry",
        },
    ),
    (
        "tldraw sync",
        "tldraw/tldraw packages/sync-core TLSyncClient.ts",
        {4099: "the reason tells: NOT_FOUND, FORBIDDEN, NOT_AUTHENTICATED, CLIENT_TOO_OLD and others"},
    ),
    (
        "Hocuspocus (Yjs)",
        "ueberdosis/hocuspocus packages/common/src/CloseEvents.ts",
        {
            4205: "reset connection: reload the document",
            4401: "authentication failed or is missing",
            4403: "forbidden",
            4408: "connection timeout",
        },
    ),
)

USES: dict[int, tuple[Use, ...]] = {
    code: tuple(Use(stack, texts[code], source) for stack, source, texts in _STACKS if code in texts)
    for code in sorted({code for _, _, texts in _STACKS for code in texts})
}
"""What stacks are known to mean by a code, by code."""

RANGES: tuple[tuple[range, str], ...] = (
    (range(0, 1000), "not used: no close code is below 1000"),
    (range(1000, 3000), "reserved for the WebSocket protocol and its extensions, and not defined"),
    (range(3000, 4000), "for libraries and frameworks, registered with IANA; this one is not registered"),
    (range(4000, 5000), "private: it means what the application at the other end says"),
)
"""What RFC 6455 7.4.2 says of the codes that are not registered."""


def valid_on_wire(code: int) -> bool:
    """Whether a close frame may carry ``code``: 1000-1003, 1007-1014 and 3000-4999 (RFC 6455 7.4, IANA)."""
    return 3000 <= code <= 4999 or (code in REGISTERED and code not in NEVER_SENT)


def name(code: int) -> str:
    """IANA's name of ``code``, or an empty string when it is not registered."""
    return REGISTERED[code].name if code in REGISTERED else ""


def uses(code: int) -> tuple[Use, ...]:
    """The stacks that are known to send ``code``, and what they mean by it."""
    return USES.get(code, ())


def explain(code: int) -> str:
    """One line in plain words: what ``code`` means, whether it may be sent, and who is known to use it."""
    entry = REGISTERED.get(code)
    if entry is not None:
        text = f"{code} {entry.name}: {entry.text}"
    else:
        meaning = next((text for codes, text in RANGES if code in codes), "not a close code")
        text = f"{code}: {meaning}"
        if not valid_on_wire(code):
            text += "; it must not be sent"
    if (status := _http_like(code)) and not uses(code):
        text += f". By a common habit (HTTP status + 4000) this would be '{status.phrase}'"
    if known := uses(code):
        text += ". Known uses: " + "; ".join(f"{use.stack} ({use.text})" for use in known)
    return text


def _http_like(code: int) -> HTTPStatus | None:
    try:
        return HTTPStatus(code - 4000) if 4400 <= code < 4600 else None
    except ValueError:
        return None
