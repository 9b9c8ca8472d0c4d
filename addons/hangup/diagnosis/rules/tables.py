"""What is said in words, and what it speaks for: close reasons, close codes, answers, lines of logs.

Each table maps a pattern to verdicts and weights (natural logarithms, negative for what it speaks against). The order
matters in the first: where several patterns fit a reason, the first is the more special one.
"""

from __future__ import annotations

Says = dict[str, float]

REASONS: tuple[tuple[str, str, Says], ...] = (
    (
        "server",
        r"keepalive ping timeout|ping timed out|no pong received|pong timeout",
        {"heartbeat/control-pong-missing": 5.0},
    ),
    (
        "server",
        r"json|unexpected token|expecting value|parse|syntax|decode|malformed|\bchar \d+",
        {"message/not-json": 4.0, "message/schema": 0.5},
    ),
    (
        "server",
        r"(init|hello|identify|handshake|auth\w*|login|connect\w*).{0,20}"
        r"(time(d)? ?-?out|not received|too late|missing)"
        r"|initiali[sz]ation timeout",
        {"message/init-missing": 5.0},
    ),
    (
        "server",
        r"too (big|large|long)|message size|payload.{0,20}(limit|size|exceed)|exceeds"
        r"|max.{0,12}(size|length|payload)",
        {"message/oversize": 5.0},
    ),
    (
        "server",
        r"utf-?8|invalid (text|payload) data|codec can't decode|(continuation|start) byte",
        {"message/invalid-utf8": 4.5},
    ),
    (
        "server",
        r"rsv|reserved bit|compress|deflate|extension",
        {"handshake/extension": 4.0, "message/framing": 1.8},
    ),
    (
        "server",
        r"\bmask|opcode|continuation(?! byte)|fragment|control frame|invalid frame",
        {"message/framing": 4.0},
    ),
    (
        "server",
        r"sub-?protocol",
        {"handshake/subprotocol": 4.5},
    ),
    (
        "server",
        r"unknown (type|event|action|op|command|message|kind|method)"
        r"|unsupported (type|event|action|op|message)|unrecogni[sz]ed",
        {"message/unknown-type": 3.5, "message/schema": 0.8},
    ),
    (
        "server",
        r"schema|validation|missing|required|field|invalid (message|payload|request|format|data)"
        r"|bad (message|request|payload)",
        {"message/schema": 2.6, "message/unknown-type": 0.8, "message/not-json": 0.8},
    ),
    (
        "server",
        r"text (only|frames?|expected)|binary|unsupported data|data type|only (text|json)",
        {"message/wrong-opcode": 3.5},
    ),
    (
        "server",
        r"too (many messages|fast|quick)|\brate\b|throttl|flood|slow down",
        {"process/message-rate-limit": 3.5, "handshake/limit": 1.5},
    ),
    (
        "server",
        r"(too many|max\w*|limit of) (open )?(connections|sessions|clients|users)|(connection|session)s? limit"
        r"|capacity|\bfull\b",
        {"handshake/limit": 3.5},
    ),
    (
        "server",
        r"too many|limit|quota|overload|try again",
        {"handshake/limit": 2.0, "process/message-rate-limit": 1.2, "process/message-count-limit": 0.8},
    ),
    (  # of operations within one connection (graphql-ws), not of connections
        "server",
        r"subscriber for|subscription.{0,40}(already|duplicate)|duplicate subscri",
        {"server-handler/crash-on-message": 2.0, "identity/id-collision": -2.0},
    ),
    (
        "server",
        r"duplicate|replac|another|elsewhere|taken over|superse|already (connected|open|exists|in use)"
        r"|kicked|new (session|connection|login|tab)|newer",
        {"identity/id-collision": 4.0},
    ),
    (
        "server",
        r"token|jwt|auth|credential|expired|signature|log ?in|not logged|forbidden|denied|permission"
        r"|unauthori|api key",
        {"identity/token-expired-retry": 3.0, "handshake/auth-rejected": 1.2},
    ),
    (
        "server",
        r"resume|unknown session|session (not found|expired|invalid|closed|unknown)"
        r"|invalid (seq|session)|no such session",
        {"identity/stale-resume": 3.0, "identity/token-expired-retry": 0.5, "intermediary/non-sticky": 0.3},
    ),
    (
        "server",
        r"\borigin\b|host (not|header)|cross-site",
        {"handshake/origin": 4.0},
    ),
    (
        "server",
        r"(before|not (yet )?(init|auth|identif|connect|ready|join|subscrib))"
        r"|must (init|auth|join|identify)|first message",
        {"message/order-before-hello": 3.0, "message/init-missing": 1.0},
    ),
    (
        "server",
        r"restart|shut(ting)? ?down|going away|deploy|reload|maintenance|upgrade in progress"
        r"|service stop",
        {"process/restart": 3.5},
    ),
    (
        "server",
        r"slow|back-?pressure|buffer|send queue|not reading|overflow",
        {"client-lifecycle/slow-consumer": 4.0},
    ),
    (
        "server",
        r"internal (server )?error|exception|traceback|unhandled",
        {"server-handler/crash-on-message": 0.8, "server-handler/crash-on-own-event": 0.8},
    ),
    (
        "server",
        r"heart-?beat|keep-?alive|\bpong|\bping|idle|inactiv|stale|time(d)? ?-?out",
        {
            "heartbeat/app-pong-missing-from-client": 2.2,
            "heartbeat/control-pong-missing": 0.5,
            "intermediary/idle-timeout": -1.5,
        },
    ),
    (
        "client",
        r"connect(ion|ing)?[ -]time(d)? ?-?out|(handshake|open|welcome|hello)[ -]time(d)? ?-?out",
        {"client-lifecycle/connect-deadline": 4.0},
    ),
    (  # Python websockets' own
        "client",
        r"keepalive ping timeout|ping timed out",
        {"heartbeat/control-pong-missing": 4.0},
    ),
    (
        "client",
        r"heart-?beat|keep-?alive|\bpong|\bping",
        {"heartbeat/app-pong-missing-from-server": 3.0},
    ),
    (
        "client",
        r"time(d)? ?-?out|no (answer|response|reply|ack)",
        {"heartbeat/app-pong-missing-from-server": 1.5, "client-lifecycle/connect-deadline": 1.0},
    ),
    (
        "client",
        r"unmount|clean-?up|component|effect|dispose|dependenc",
        {"client-lifecycle/effect-churn": 3.0, "client-lifecycle/double-mount": 1.0},
    ),
    (
        "client",
        r"parse|json|decode|invalid (message|data|frame)|unexpected token",
        {"client-lifecycle/throws-on-frame": 3.0},
    ),
    (
        "client",
        r"rsv|opcode|mask|control frame|utf-?8|invalid frame",
        {"message/framing": 3.0, "intermediary/frame-corruption": 1.5},
    ),
)
"""Who says it, a pattern of the close reason, and what it speaks for."""

CODES: dict[int, Says] = {
    1002: {"message/framing": 1.5, "handshake/extension": 1.2, "handshake/subprotocol": 0.8},
    1003: {"message/wrong-opcode": 2.2, "message/not-json": 1.0},
    1007: {"message/invalid-utf8": 3.5, "message/encoding": 0.8, "handshake/extension": 0.5},
    1008: {"message/schema": 0.6, "identity/token-expired-retry": 0.5, "handshake/limit": 0.5},
    1009: {"message/oversize": 5.5},
    1010: {"handshake/extension": 4.0},
    1011: {"heartbeat/control-pong-missing": 0.4},
    1013: {"handshake/limit": 1.0},
    4406: {"handshake/subprotocol": 2.0},
    4408: {"message/init-missing": 1.0, "heartbeat/app-pong-missing-from-client": 0.6},
    4409: {"identity/id-collision": 2.0},
    4429: {"handshake/limit": 2.5},
}
"""What a close code of the server speaks for, besides what the rules make of it."""

CLIENT_CODES: dict[int, dict[str, float]] = {
    1007: {"message/invalid-utf8": 5.5, "message/encoding": 0.8, "intermediary/frame-corruption": 0.8},
    1009: {"message/oversize": 5.5},
}
"""The same of codes with which the client's library answers what the server sent (RFC 6455 7.4.1)."""

GRAPHQL: dict[int, Says] = {
    4400: {"message/vocabulary-mismatch": 5.0},
    4401: {"message/order-before-hello": 4.5, "identity/token-expired-retry": -1.0},
    4403: {"handshake/auth-rejected": 3.0, "identity/token-expired-retry": 2.0},
    4406: {"handshake/subprotocol": 5.0},
    4408: {"message/init-missing": 5.0},
    4409: {"message/unknown-type": 1.0},
    4429: {"message/order-before-hello": 3.5},
}
"""The same where GraphQL is spoken (graphql-ws, PROTOCOL.md)."""

BODIES: tuple[tuple[str, Says], ...] = (
    (
        r"session id unknown|invalid session",
        {"intermediary/non-sticky": 5.0},
    ),
    (
        r"unsupported protocol version",
        {"handshake/parameter": 4.5},
    ),
    (
        r"transport unknown|bad handshake method",
        {"handshake/parameter": 2.5},
    ),
    (
        r"\borigin\b|cross-?site|\bcors\b",
        {"handshake/origin": 3.0},
    ),
    (
        r"invalid host|host header|blocked request.*host",
        {"handshake/origin": 3.0},
    ),
    (
        r"token|jwt|auth|log ?in|credential|permission|session expired",
        {"handshake/auth-rejected": 2.0, "identity/token-expired-retry": 0.8},
    ),
    (
        r"expired",
        {"identity/token-expired-retry": 2.5},
    ),
    (
        r"\brate\b|too many|limit|quota",
        {"handshake/limit": 2.5},
    ),
    (
        r"can ?\"?upgrade\"? only to \"?websocket|upgrade required|expected websocket"
        r"|unsupported upgrade",
        {"handshake/no-ws-support": 1.5, "handshake/http-version": 1.5},
    ),
    (
        r"sec-websocket-version|unsupported version",
        {"handshake/http-version": 3.0},
    ),
    (
        r"subprotocol|sec-websocket-protocol",
        {"handshake/subprotocol": 3.0},
    ),
    (
        r"not found|cannot get|no route|unknown path|no such",
        {"handshake/path": 1.2},
    ),
    (
        r"<!doctype|<html",
        {"handshake/path": 0.5},
    ),
    (
        r"header.{0,20}(large|long|size)|request line",
        {"handshake/header-size": 3.5},
    ),
    (
        r"bad gateway|upstream|connection refused",
        {"process/crash": 2.0},
    ),
    (
        r"validation|integer|not a valid|unprocessable",
        {"handshake/parameter": 3.0},
    ),
    (
        r"already (connected|in use|exists|open)|duplicate|conflict",
        {"identity/ghost-session": 2.5, "identity/id-collision": 0.8},
    ),
)
"""What the body of a refusal speaks for."""

LOGS: tuple[tuple[str, Says], ...] = (
    (
        r"JSONDecodeError|Unexpected token .*JSON|is not valid JSON|JSON\.parse|SyntaxError.*JSON"
        r"|invalid character .* looking for",
        {"message/not-json": 4.0, "server-handler/crash-on-message": -0.5},
    ),
    (
        r"\bKeyError|ValidationError|missing \d+ required|Field required|AttributeError|is not a valid"
        r"|TypeError: '?NoneType",
        {"message/schema": 4.0, "server-handler/crash-on-message": 1.0},
    ),
    (
        r"KeyError: '(text|bytes)'|data type .*bytes|expected str.*bytes|Received binary"
        r"|text frames are not supported",
        {"message/wrong-opcode": 4.0, "message/schema": -1.5},
    ),
    (
        r"not JSON serializable|is not serializable|circular structure|Converting circular",
        {"server-handler/crash-on-own-event": 5.0},
    ),
    (
        r"UnicodeDecodeError|invalid utf-?8|codec can't decode",
        {"message/invalid-utf8": 3.5},
    ),
    (
        r"message too big|PayloadTooBig|Max payload size exceeded|message too large|over size limit",
        {"message/oversize": 5.0},
    ),
    (
        r"keepalive ping (failed|timeout)|ping timed out|no pong",
        {"heartbeat/control-pong-missing": 4.0},
    ),
    (
        r"_drain_helper|drain_helper",
        {"heartbeat/control-ping-kills": 4.5},
    ),
    (
        r"cannot call (recv|receive)|ConcurrencyError|already (waiting|reading)|Concurrent call",
        {"server-handler/concurrent-io": 5.0},
    ),
    (
        r"""Unexpected ASGI message 'websocket\.send'|Cannot call \"?send\"? once"""
        r"|send after (sending )?.?close|ConnectionClosed(Error|OK)? .*broadcast",
        {"server-handler/dead-peer-broadcast": 3.0},
    ),
    (
        r"WORKER TIMEOUT|worker timeout|Worker \(pid:\d+\) was sent SIGKILL",
        {"process/worker-timeout": 5.0},
    ),
    (
        r"Reloading|StatReload|WatchFiles detected|Shutting down|nodemon.*restart|Application shutdown",
        {"process/restart": 3.0},
    ),
    (
        r"Segmentation fault|core dumped|process exited|exited with code [1-9]|uncaughtException"
        r"|Unhandled.*rejection",
        {"process/crash": 3.5},
    ),
    (
        r"No supported WebSocket library",
        {"handshake/no-ws-support": 5.0},
    ),
    (
        r"jwt expired|ExpiredSignature|token (has )?expired|InvalidToken|invalid token",
        {"identity/token-expired-retry": 3.0, "handshake/auth-rejected": 1.5},
    ),
    (
        r"origin.{0,30}(not allowed|rejected|denied|mismatch)|cross origin",
        {"handshake/origin": 4.0},
    ),
    (
        r"upstream timed out",
        {"intermediary/idle-timeout": 4.0},
    ),
    (
        r"TimeoutError|timed? ?out (waiting|after)|asyncio\.exceptions\.TimeoutError",
        {"server-handler/dependency-timeout": 2.0},
    ),
    (
        r"\bTraceback|\bError:|Exception in ASGI",
        {"server-handler/crash-on-message": 0.8, "server-handler/crash-on-own-event": 0.3},
    ),
)
"""What a line of the backend's log near the end speaks for."""

LIBRARIES: dict[tuple[str, str], Says] = {
    ("websockets", "1000"): {"server-handler/returns": 1.2, "crash": -2.0},
    ("websockets", "1011"): {"server-handler/returns": -3.0, "crash": 1.0},
    ("websockets", "abrupt"): {"server-handler/returns": -1.5, "crash": -1.0},
    ("aiohttp", "1000"): {"server-handler/returns": 1.2, "crash": -2.5},
    ("aiohttp", "abrupt"): {"server-handler/returns": -2.0, "crash": 0.6},
    ("tornado", "abrupt"): {"server-handler/returns": -1.5, "crash": 0.6},
    ("tornado", "1000"): {"server-handler/returns": 0.5, "crash": -2.0},
    ("uvicorn", "1011"): {"server-handler/returns": -2.5},
    ("daphne", "1011"): {"crash": 1.0, "server-handler/returns": -1.0},
    ("hypercorn", "1011"): {"server-handler/returns": 0.5},
}
"""What a server's library ends a connection with (measured): after the handler returned, and after an exception.

The second part is a close code, or ``cut`` for none; ``crash`` stands for all verdicts by which the handler raises.
"""
