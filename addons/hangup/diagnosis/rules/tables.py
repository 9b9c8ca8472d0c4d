"""What is said in words, and what it speaks for: close reasons, close codes, answers, lines of logs.

Each table maps a pattern to verdicts: 1 for what is said in so many words, 0.5 and 0.25 for what may be meant as well,
negative for what it speaks against. The order matters in the first: where several patterns fit a reason, the first is
the more special one. How much such words weigh is fitted, as for all signs.
"""

from __future__ import annotations

Says = dict[str, float]

REASONS: tuple[tuple[str, str, Says], ...] = (
    (
        "server",
        r"keepalive ping timeout|ping timed out|no pong received|pong timeout",
        {"heartbeat/control-pong-missing": 1.0},
    ),
    (
        "server",
        r"json|unexpected token|expecting value|parse|syntax|decode|malformed|\bchar \d+",
        {"message/not-json": 1.0, "message/schema": 0.25},
    ),
    (
        "server",
        r"(init|hello|identify|handshake|auth\w*|login|connect\w*).{0,20}"
        r"(time(d)? ?-?out|not received|too late|missing)"
        r"|initiali[sz]ation timeout",
        {"message/init-missing": 1.0},
    ),
    (
        "server",
        r"too (big|large|long)|message size|payload.{0,20}(limit|size|exceed)|exceeds"
        r"|max.{0,12}(size|length|payload)",
        {"message/oversize": 1.0},
    ),
    (
        "server",
        r"utf-?8|invalid (text|payload) data|codec can't decode|(continuation|start) byte",
        {"message/invalid-utf8": 1.0},
    ),
    (
        "server",
        r"rsv|reserved bit|compress|deflate|extension",
        {"handshake/extension": 1.0, "message/framing": 0.5},
    ),
    (
        "server",
        r"\bmask|opcode|continuation(?! byte)|fragment|control frame|invalid frame",
        {"message/framing": 1.0},
    ),
    (
        "server",
        r"sub-?protocol",
        {"handshake/subprotocol": 1.0},
    ),
    (
        "server",
        r"unknown (type|event|action|op|command|message|kind|method)"
        r"|unsupported (type|event|action|op|message)|unrecogni[sz]ed",
        {"message/unknown-type": 1.0, "message/schema": 0.25},
    ),
    (
        "server",
        r"schema|validation|missing|required|field|invalid (message|payload|request|format|data)"
        r"|bad (message|request|payload)",
        {"message/schema": 1.0, "message/unknown-type": 0.25, "message/not-json": 0.25},
    ),
    (
        "server",
        r"text (only|frames?|expected)|binary|unsupported data|data type|only (text|json)",
        {"message/wrong-opcode": 1.0},
    ),
    (
        "server",
        r"too (many messages|fast|quick)|\brate\b|throttl|flood|slow down",
        {"process/message-rate-limit": 1.0, "handshake/limit": 0.5},
    ),
    (
        "server",
        r"(too many|max\w*|limit of) (open )?(connections|sessions|clients|users)|(connection|session)s? limit"
        r"|capacity|\bfull\b",
        {"handshake/limit": 1.0},
    ),
    (
        "server",
        r"too many|limit|quota|overload|try again",
        {"handshake/limit": 0.5, "process/message-rate-limit": 0.5, "process/message-count-limit": 0.25},
    ),
    (  # of operations within one connection (graphql-ws), not of connections
        "server",
        r"subscriber for|subscription.{0,40}(already|duplicate)|duplicate subscri",
        {"server-handler/crash-on-message": 0.5, "identity/id-collision": -1.0},
    ),
    (
        "server",
        r"duplicate|replac|another|elsewhere|taken over|superse|already (connected|open|exists|in use)"
        r"|kicked|new (session|connection|login|tab)|newer",
        {"identity/id-collision": 1.0},
    ),
    (
        "server",
        r"token|jwt|auth|credential|expired|signature|log ?in|not logged|forbidden|denied|permission"
        r"|unauthori|api key",
        {"identity/token-expired-retry": 1.0, "handshake/auth-rejected": 0.5},
    ),
    (
        "server",
        r"resume|unknown session|session (not found|expired|invalid|closed|unknown)"
        r"|invalid (seq|session)|no such session",
        {"identity/stale-resume": 1.0, "identity/token-expired-retry": 0.25, "intermediary/non-sticky": 0.25},
    ),
    (
        "server",
        r"\borigin\b|host (not|header)|cross-site",
        {"handshake/origin": 1.0},
    ),
    (
        "server",
        r"(before|not (yet )?(init|auth|identif|connect|ready|join|subscrib))"
        r"|must (init|auth|join|identify)|first message",
        {"message/order-before-hello": 1.0, "message/init-missing": 0.5},
    ),
    (
        "server",
        r"restart|shut(ting)? ?down|going away|deploy|reload|maintenance|upgrade in progress"
        r"|service stop",
        {"process/restart": 1.0},
    ),
    (
        "server",
        r"slow|back-?pressure|buffer|send queue|not reading|overflow",
        {"client-lifecycle/slow-consumer": 1.0},
    ),
    (
        "server",
        r"internal (server )?error|exception|traceback|unhandled",
        {"server-handler/crash-on-message": 0.25, "server-handler/crash-on-own-event": 0.25},
    ),
    (
        "server",
        r"heart-?beat|keep-?alive|\bpong|\bping|idle|inactiv|stale|time(d)? ?-?out",
        {
            "heartbeat/app-pong-missing-from-client": 0.5,
            "heartbeat/control-pong-missing": 0.25,
            "intermediary/idle-timeout": -0.5,
        },
    ),
    (
        "client",
        r"connect(ion|ing)?[ -]time(d)? ?-?out|(handshake|open|welcome|hello)[ -]time(d)? ?-?out",
        {"client-lifecycle/connect-deadline": 1.0},
    ),
    (  # Python websockets' own
        "client",
        r"keepalive ping timeout|ping timed out",
        {"heartbeat/control-pong-missing": 1.0},
    ),
    (
        "client",
        r"heart-?beat|keep-?alive|\bpong|\bping",
        {"heartbeat/app-pong-missing-from-server": 1.0},
    ),
    (
        "client",
        r"time(d)? ?-?out|no (answer|response|reply|ack)",
        {"heartbeat/app-pong-missing-from-server": 0.5, "client-lifecycle/connect-deadline": 0.5},
    ),
    (
        "client",
        r"unmount|clean-?up|component|effect|dispose|dependenc",
        {"client-lifecycle/effect-churn": 1.0, "client-lifecycle/double-mount": 0.5},
    ),
    (
        "client",
        r"parse|json|decode|invalid (message|data|frame)|unexpected token",
        {"client-lifecycle/throws-on-frame": 1.0},
    ),
    (
        "client",
        r"rsv|opcode|mask|control frame|utf-?8|invalid frame",
        {"message/framing": 1.0, "intermediary/frame-corruption": 0.5},
    ),
)
"""Who says it, a pattern of the close reason, and what it speaks for."""

CODES: dict[int, Says] = {
    1002: {"message/framing": 0.5, "handshake/extension": 0.5, "handshake/subprotocol": 0.25},
    1003: {"message/wrong-opcode": 0.5, "message/not-json": 0.5},
    1007: {"message/invalid-utf8": 1.0, "message/encoding": 0.25, "handshake/extension": 0.25},
    1008: {"message/schema": 0.25, "identity/token-expired-retry": 0.25, "handshake/limit": 0.25},
    1009: {"message/oversize": 1.0},
    1010: {"handshake/extension": 1.0},
    1011: {"heartbeat/control-pong-missing": 0.25},
    1013: {"handshake/limit": 0.5},
    4406: {"handshake/subprotocol": 0.5},
    4408: {"message/init-missing": 0.5, "heartbeat/app-pong-missing-from-client": 0.25},
    4409: {"identity/id-collision": 0.5},
    4429: {"handshake/limit": 1.0},
}
"""What a close code of the server speaks for, besides what the rules make of it."""

CLIENT_CODES: dict[int, Says] = {
    1007: {"message/invalid-utf8": 1.0, "message/encoding": 0.25, "intermediary/frame-corruption": 0.25},
    1009: {"message/oversize": 1.0},
}
"""The same of codes with which the client's library answers what the server sent (RFC 6455 7.4.1)."""

GRAPHQL: dict[int, Says] = {
    4400: {"message/vocabulary-mismatch": 1.0},
    4401: {"message/order-before-hello": 1.0, "identity/token-expired-retry": -0.5},
    4403: {"handshake/auth-rejected": 1.0, "identity/token-expired-retry": 0.5},
    4406: {"handshake/subprotocol": 1.0},
    4408: {"message/init-missing": 1.0},
    4409: {"message/unknown-type": 0.5},
    4429: {"message/order-before-hello": 1.0},
}
"""The same where GraphQL is spoken (graphql-ws, PROTOCOL.md)."""

BODIES: tuple[tuple[str, Says], ...] = (
    (
        r"session id unknown|invalid session",
        {"intermediary/non-sticky": 1.0},
    ),
    (
        r"unsupported protocol version",
        {"handshake/parameter": 1.0},
    ),
    (
        r"transport unknown|bad handshake method",
        {"handshake/parameter": 1.0},
    ),
    (
        r"\borigin\b|cross-?site|\bcors\b",
        {"handshake/origin": 1.0},
    ),
    (
        r"invalid host|host header|blocked request.*host",
        {"handshake/origin": 1.0},
    ),
    (
        r"token|jwt|auth|log ?in|credential|permission|session expired",
        {"handshake/auth-rejected": 0.5, "identity/token-expired-retry": 0.25},
    ),
    (
        r"expired",
        {"identity/token-expired-retry": 1.0},
    ),
    (
        r"\brate\b|too many|limit|quota",
        {"handshake/limit": 1.0},
    ),
    (
        r"can ?\"?upgrade\"? only to \"?websocket|upgrade required|expected websocket"
        r"|unsupported upgrade",
        {"handshake/no-ws-support": 0.5, "handshake/http-version": 0.5},
    ),
    (
        r"sec-websocket-version|unsupported version",
        {"handshake/http-version": 1.0},
    ),
    (
        r"subprotocol|sec-websocket-protocol",
        {"handshake/subprotocol": 1.0},
    ),
    (
        r"not found|cannot get|no route|unknown path|no such",
        {"handshake/path": 0.5},
    ),
    (
        r"<!doctype|<html",
        {"handshake/path": 0.25},
    ),
    (
        r"header.{0,20}(large|long|size)|request line",
        {"handshake/header-size": 1.0},
    ),
    (
        r"bad gateway|upstream|connection refused",
        {"process/crash": 0.5},
    ),
    (
        r"validation|integer|not a valid|unprocessable",
        {"handshake/parameter": 1.0},
    ),
    (
        r"already (connected|in use|exists|open)|duplicate|conflict",
        {"identity/ghost-session": 1.0, "identity/id-collision": 0.25},
    ),
)
"""What the body of a refusal speaks for."""

LOGS: tuple[tuple[str, Says], ...] = (
    (
        r"JSONDecodeError|Unexpected token .*JSON|is not valid JSON|JSON\.parse|SyntaxError.*JSON"
        r"|invalid character .* looking for",
        {"message/not-json": 1.0, "server-handler/crash-on-message": -0.5},
    ),
    (
        r"\bKeyError|ValidationError|missing \d+ required|Field required|AttributeError|is not a valid"
        r"|TypeError: '?NoneType",
        {"message/schema": 1.0, "server-handler/crash-on-message": 0.5},
    ),
    (
        r"KeyError: '(text|bytes)'|data type .*bytes|expected str.*bytes|Received binary"
        r"|text frames are not supported",
        {"message/wrong-opcode": 1.0, "message/schema": -0.5},
    ),
    (
        r"not JSON serializable|is not serializable|circular structure|Converting circular",
        {"server-handler/crash-on-own-event": 1.0},
    ),
    (
        r"UnicodeDecodeError|invalid utf-?8|codec can't decode",
        {"message/invalid-utf8": 1.0},
    ),
    (
        r"message too big|PayloadTooBig|Max payload size exceeded|message too large|over size limit",
        {"message/oversize": 1.0},
    ),
    (
        r"keepalive ping (failed|timeout)|ping timed out|no pong",
        {"heartbeat/control-pong-missing": 1.0},
    ),
    (
        r"_drain_helper|drain_helper",
        {"heartbeat/control-ping-kills": 1.0},
    ),
    (
        r"cannot call (recv|receive)|ConcurrencyError|already (waiting|reading)|Concurrent call",
        {"server-handler/concurrent-io": 1.0},
    ),
    (
        r"""Unexpected ASGI message 'websocket\.send'|Cannot call \"?send\"? once"""
        r"|send after (sending )?.?close|ConnectionClosed(Error|OK)? .*broadcast",
        {"server-handler/dead-peer-broadcast": 1.0},
    ),
    (
        r"WORKER TIMEOUT|worker timeout|Worker \(pid:\d+\) was sent SIGKILL",
        {"process/worker-timeout": 1.0},
    ),
    (
        r"Reloading|StatReload|WatchFiles detected|Shutting down|nodemon.*restart|Application shutdown",
        {"process/restart": 1.0},
    ),
    (
        r"Segmentation fault|core dumped|process exited|exited with code [1-9]|uncaughtException"
        r"|Unhandled.*rejection",
        {"process/crash": 1.0},
    ),
    (
        r"No supported WebSocket library",
        {"handshake/no-ws-support": 1.0},
    ),
    (
        r"jwt expired|ExpiredSignature|token (has )?expired|InvalidToken|invalid token",
        {"identity/token-expired-retry": 1.0, "handshake/auth-rejected": 0.5},
    ),
    (
        r"origin.{0,30}(not allowed|rejected|denied|mismatch)|cross origin",
        {"handshake/origin": 1.0},
    ),
    (
        r"upstream timed out",
        {"intermediary/idle-timeout": 1.0},
    ),
    (
        r"TimeoutError|timed? ?out (waiting|after)|asyncio\.exceptions\.TimeoutError",
        {"server-handler/dependency-timeout": 0.5},
    ),
    (
        r"\bTraceback|\bError:|Exception in ASGI",
        {"server-handler/crash-on-message": 0.25, "server-handler/crash-on-own-event": 0.25},
    ),
)
"""What a line of the backend's log near the end speaks for."""

LIBRARIES: dict[tuple[str, str], Says] = {
    ("websockets", "1000"): {"server-handler/returns": 1.0, "crash": -1.0},
    ("websockets", "1011"): {"server-handler/returns": -1.0, "crash": 1.0},
    ("websockets", "abrupt"): {"server-handler/returns": -1.0, "crash": -1.0},
    ("aiohttp", "1000"): {"server-handler/returns": 1.0, "crash": -1.0},
    ("aiohttp", "abrupt"): {"server-handler/returns": -1.0, "crash": 1.0},
    ("tornado", "abrupt"): {"server-handler/returns": -1.0, "crash": 1.0},
    ("tornado", "1000"): {"server-handler/returns": 1.0, "crash": -1.0},
    ("uvicorn", "1011"): {"server-handler/returns": -1.0},
    ("daphne", "1011"): {"crash": 1.0, "server-handler/returns": -1.0},
    ("hypercorn", "1011"): {"server-handler/returns": 1.0},
}
"""What a server's library ends a connection with (measured): after the handler returned, and after an exception.

The second part is a close code, or ``cut`` for none; ``crash`` stands for all verdicts by which the handler raises.
"""
