"""What to change, and where, on the stack that was recognised."""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.stack import Stack
from hangup.humanize import duration

_HINTS: dict[tuple[str, str], str] = {
    ("message/not-json", "uvicorn"): (
        "`await websocket.receive_json()` raises on anything but JSON, and uvicorn then just drops the "
        "connection. Use `receive_text()` and answer the ping before `json.loads`, or let the client send "
        "JSON."
    ),
    ("message/not-json", ""): ("Let the handler catch the parse error, or let the client send its heartbeat as JSON."),
    ("message/schema", "uvicorn"): (
        "A KeyError or pydantic ValidationError in the handler ends the connection without a close frame. "
        "Handle heartbeats before the model is validated, or wrap the body of the loop in try/except."
    ),
    ("message/schema", ""): (
        "Handle heartbeats before messages are validated, or give them the field that is missing."
    ),
    ("message/wrong-opcode", "uvicorn"): (
        "`receive_text()` raises KeyError on a binary frame (and `receive_bytes()` on text). Use "
        "`websocket.receive()` and look at both, or send a string in the page."
    ),
    ("message/wrong-opcode", ""): (
        "Send the message with the opcode that the server reads (a string in the page makes a text frame, a "
        "Blob or ArrayBuffer a binary one)."
    ),
    ("message/oversize", "uvicorn"): (
        "Raise `--ws-max-size` (default 16 MiB), split the message, and do not resend it after 1009."
    ),
    ("message/oversize", "websockets"): ("Raise `max_size=` of `serve()` (default 1 MiB), or split the message."),
    ("message/oversize", "aiohttp"): (
        "Raise `max_msg_size=` of `WebSocketResponse` (default 4 MiB), or split the message."
    ),
    ("message/oversize", "tornado"): ("Raise `websocket_max_message_size` of the application (default 10 MiB)."),
    ("message/oversize", ""): (
        "Raise the server's message limit or split the message; and do not resend it after a reconnect."
    ),
    ("server-handler/returns-immediately", "uvicorn"): (
        "The connection lives only as long as the endpoint function: after `accept()` it needs a loop such as"
        " `while True: await websocket.receive_text()`. Look for a missing `await` too."
    ),
    ("server-handler/returns-immediately", ""): (
        "The connection lives only as long as the handler runs: it needs a loop."
    ),
    ("server-handler/returns-after-message", ""): ("Put `while True:` (or `async for`) around receiving."),
    ("server-handler/crash-on-own-event", "uvicorn"): (
        "`send_json` raises on what `json.dumps` cannot write (datetime, set, Decimal, UUID): encode with "
        "`jsonable_encoder` first, and catch errors for each recipient of a broadcast."
    ),
    ("server-handler/crash-on-own-event", ""): (
        "Catch errors around sending, for each recipient, and look at what is sent for values that JSON does "
        "not have (dates, sets, decimals)."
    ),
    ("heartbeat/control-pong-missing", "uvicorn"): (
        "uvicorn's `--ws-ping-interval` and `--ws-ping-timeout` (20 s each) decide. Find what swallows pongs "
        "between the two, or a client whose loop is blocked."
    ),
    ("heartbeat/control-pong-missing", ""): (
        "Find what swallows pongs between the two, or a client whose loop is blocked."
    ),
    ("heartbeat/app-pong-missing-from-client", ""): (
        "Let the client answer the server's ping in the form that the server waits for, or let any message "
        "count as a sign of life."
    ),
    ("heartbeat/app-pong-missing-from-server", ""): (
        "Answer the client's ping in the handler, before anything else, in the exact form that the client waits for."
    ),
    ("heartbeat/pong-mismatch", ""): ("Send the pong exactly as the client's library expects it."),
    ("intermediary/idle-timeout", "nginx"): (
        "Raise `proxy_read_timeout` (60 s by default) in the location, or ping more often than that."
    ),
    ("intermediary/idle-timeout", ""): ("Ping more often than the intermediary's idle timeout, or raise that."),
    ("identity/id-collision", ""): (
        "Give every tab an id of its own (`crypto.randomUUID()` in sessionStorage), or let the server keep "
        "several connections for one id."
    ),
    ("identity/token-expired-retry", ""): (
        "Fetch a fresh token before reconnecting, and do not retry after an authentication close code."
    ),
    ("handshake/auth-rejected", "uvicorn"): (
        "A `close(code)` before `accept()` reaches the page as HTTP 403 and 1006, never as the code. Accept "
        "first and then close with 4401 or the like, and let the client stop on it."
    ),
    ("handshake/auth-rejected", ""): (
        "Check name and value of the credential; browsers cannot set Authorization on a WebSocket."
    ),
    ("handshake/path", "uvicorn"): (
        "uvicorn answers 403 when no WebSocket route fits. Compare the path with the routes; look for a "
        "prefix that both the base URL (`VITE_WS_BASE`) and the code add."
    ),
    ("handshake/path", ""): (
        "Compare the path with the server's routes; look for a prefix that is added twice, or a slash."
    ),
    ("handshake/subprotocol", "uvicorn"): (
        "Echo one of the offered subprotocols: `await websocket.accept(subprotocol=...)`. A token offered as "
        "a subprotocol must be echoed too."
    ),
    ("handshake/subprotocol", "graphql"): (
        "`graphql-transport-ws` (graphql-ws) and `graphql-ws` (subscriptions-transport-ws) are two protocols:"
        " use the same library on both sides."
    ),
    ("handshake/subprotocol", ""): ("The server must choose one of the subprotocols that the client offers, if any."),
    ("handshake/extension", ""): ("Leave Sec-WebSocket-Extensions out of the 101 unless the server implements it."),
    ("client-lifecycle/effect-churn", ""): (
        "The effect that owns the socket depends on something made anew by each render: memoise it "
        "(`useMemo`, `useRef`), or take it out of the dependencies."
    ),
    ("client-lifecycle/throws-on-frame", ""): ("Guard `JSON.parse` in `onmessage`, and send JSON only."),
    ("client-lifecycle/connect-deadline", ""): (
        "Let the client wait longer, or let the server greet before its slow work."
    ),
    ("process/restart", "uvicorn"): (
        "`--reload` restarts on every file that is written below the project: exclude logs, databases and "
        "uploads (`--reload-exclude`)."
    ),
    ("process/worker-timeout", ""): (
        "gunicorn ends a worker that is silent for `--timeout` (30 s): use an asynchronous worker class or raise it."
    ),
    ("heartbeat/direction", ""): ("Use matching major versions: Engine.IO 4 servers ping, Engine.IO 3 clients do."),
    ("message/vocabulary-mismatch", "graphql"): (
        "`start`/`data`/`stop` is subscriptions-transport-ws, `subscribe`/`next`/`complete` is graphql-ws: "
        "use the same library on both sides."
    ),
    ("message/init-missing", "graphql"): ("Send `connection_init` as the first message."),
    ("intermediary/non-sticky", ""): (
        "Pin a client to one worker (`ip_hash`, a cookie), or use the websocket transport only."
    ),
    ("handshake/no-ws-support", "uvicorn"): (
        "Install a WebSocket library: `pip install 'uvicorn[standard]'` or `websockets`."
    ),
    ("intermediary/upgrade-conflict", ""): (
        "Do not proxy the dev server's own socket (`vite-hmr`): give it another path or port."
    ),
}
"""By verdict and by the server, protocol or proxy that it is for; empty for any."""


def hint(case: Case, verdict: str, stack: Stack) -> str:
    """A sentence or two on what to change; empty when there is nothing to say."""
    server = "uvicorn" if stack.server in ("uvicorn", "hypercorn", "granian") else stack.server
    known = [name for name in (server, stack.protocol, stack.proxy) if name]
    text = next((_HINTS[verdict, name] for name in (*known, "") if (verdict, name) in _HINTS), "")
    if verdict == "intermediary/idle-timeout":
        idle = [min(pair) for pair in zip(case.since_frame("client"), case.since_frame("server"), strict=True)]
        text += f" It is about {duration(middle(idle))} here."
    return text
