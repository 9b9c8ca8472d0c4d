"""The handshake is refused, or what it agreed on is not so."""

from __future__ import annotations

from lab.app import App
from lab.table import GENERIC, fault

REFUSED = (400, 401, 403, 404, 429, 431, 500, 503)


def wrong_path(app: App, target: str) -> None:
    """All tabs ask for this instead."""
    for tab in app.tabs:
        tab["target"] = target


@fault("handshake/path", "server", "header", "client", statuses=REFUSED, kind=3)
def path_is_doubled(app: App) -> None:
    app.ordinary()
    parts = app.target.lstrip("/").split("/")
    wrong_path(
        app,
        app.rng.choice(
            [
                f"/{parts[0].split('?')[0]}{app.target}",
                f"/api{app.target}",
                f"{app.route.split('/{')[0]}/v2/{app.client_id}/ws",
            ]
        ),
    )


@fault("handshake/path", "server", "header", "client", statuses=REFUSED, kind=3)
def path_has_a_slash_too_many(app: App) -> None:
    app.ordinary()
    path, mark, query = app.target.partition("?")
    wrong_path(app, path + "/" + mark + query)


@fault("handshake/parameter", "server", "header", "client", statuses=REFUSED, kind=3, also=("handshake/path",))
def path_parameter_is_no_number(app: App) -> None:
    app.ordinary()
    app.route = app.rng.choice(["/ws/{client_id:int}", "/rooms/{client_id:int}/ws", "/api/v1/devices/{client_id:int}"])
    bad = app.rng.choice(["undefined", "null", "NaN", "abc", "%5Bobject%20Object%5D", "-1"])
    wrong_path(app, app.route.replace("{client_id:int}", bad))


@fault("handshake/parameter", "server", "header", "client", statuses=REFUSED, also=("handshake/auth-rejected",))
def query_parameter_is_missing(app: App) -> None:
    app.ordinary()
    name = app.rng.choice(["room", "project", "device", "channel"])
    if app.maybe(0.5):
        app.query[name] = app.rng.choice(["undefined", "null", ""])
    app.label.told = False
    body = app.rng.choice(
        [f"missing query parameter: {name}", f'{{"detail":[{{"loc":["query","{name}"],"msg":"field required"}}]}}', ""]
    )
    app.refusals = [
        {
            "if": {"always": True},
            "how": app.rng.choice(["http", "http", "close"]),
            "status": app.rng.choice([400, 403]),
            "code": 1008,
            "body": body,
        }
    ]


@fault("handshake/origin", "server", "header", "client", statuses=REFUSED, also=("handshake/auth-rejected",))
def origin_is_not_allowed(app: App) -> None:
    _origin(app)


def _origin(app: App) -> None:
    app.ordinary()
    allowed, actual = app.rng.choice(
        [
            ("http://localhost:3000", "http://127.0.0.1:3000"),
            ("https://app.example.test", "https://www.app.example.test"),
            ("https://app.example.test", "http://localhost:5173"),
            ("https://app.example.test", "null"),
        ]
    )
    app.label.told = actual not in ("http://localhost:5173", "null")
    app.options["headers"] |= {"Origin": actual, "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/141.0.0.0"}
    if app.stack in ("websockets", "tornado", "channels"):
        app.settings["origins"] = [allowed]
    else:
        body = app.rng.choice(["origin not allowed", "Forbidden", ""])
        app.refusals = [
            {"if": {"not_header": ["Origin", "^" + allowed + "$"]}, "how": "http", "status": 403, "body": body}
        ]


@fault(
    "handshake/origin",
    "server",
    "header",
    "client",
    statuses=REFUSED,
    kind=8,
    also=("handshake/auth-rejected",),
    never=("message/schema", "heartbeat/app-ping-kills"),
)
def origin_is_not_allowed_and_the_log_says_more(app: App) -> None:
    """The backend's log is full of messages and pings of other services, though no message was ever sent here."""
    _origin(app)
    app.with_log = True
    app.refusals = app.refusals or [{"if": {"chance": 0.0}, "how": "http"}]
    app.refusals.insert(0, {"if": {"chance": 0.0}, "how": "http"})
    app.refusals[-1]["log"] = "invalid message from worker-3: field required; ping timeout of redis after 5 s"


@fault(
    "handshake/auth-rejected", "server", "header", "client", statuses=(401, 403), also=("identity/token-expired-retry",)
)
def no_token_no_socket(app: App) -> None:
    app.label.told = False
    app.ordinary()
    if app.maybe(0.4):
        app.options["headers"]["Cookie"] = f"session={app.rng.getrandbits(96):024x}"
    body = app.rng.choice(["Unauthorized", '{"detail":"Not authenticated"}', "invalid token", ""])
    check = app.rng.choice([{"lacks_query": "token"}, {"lacks_header": "Authorization"}])
    app.refusals = [{"if": check, "how": "http", "status": app.rng.choice([401, 403]), "body": body}]


@fault(
    "handshake/auth-rejected",
    "server",
    "header",
    "client",
    statuses=(403,),
    stacks=("fastapi", "starlette", "channels"),
    also=("identity/token-expired-retry",),
)
def closes_before_it_accepts(app: App) -> None:
    """The close code is lost: it becomes a 403."""
    app.ordinary()
    app.query[app.rng.choice(["access_token", "auth", "key"])] = f"{app.rng.getrandbits(96):024x}"
    app.refusals = [
        {
            "if": {"lacks_query": "token"},
            "how": "close",
            "code": app.rng.choice([4401, 4003, 1008]),
            "reason": "invalid token",
        }
    ]


@fault(
    "handshake/auth-rejected",
    "server",
    "header",
    "client",
    also=("identity/token-expired-retry", "server-handler/returns-immediately"),
)
def accepted_only_to_be_told_no(app: App) -> None:
    app.label.told = False
    app.greet(welcome=False)
    app.chatter()
    code, reason = app.rng.choice(
        ((4401, "unauthorized"), (1008, "Unauthorized"), (4003, "forbidden"), (3000, "authentication required"))
    )
    app.server["open"] = [["sleep", app.t(0.002, 0.1)], ["close", code, reason], ["return"]]


@fault("handshake/subprotocol", "client", "header", "application", libraries=("ws",), also=("unknown/",), least=2)
def subprotocol_is_not_echoed(app: App) -> None:
    app.ordinary()
    token = f"tok.{app.rng.getrandbits(80):020x}"
    app.options["protocols"] = app.rng.choice(
        [["chat.v2"], [token], ["bearer", token], ["v12.stomp", "v11.stomp"], ["mqtt"]]
    )


@fault(
    "handshake/subprotocol",
    "client",
    "header",
    "application",
    libraries=("websockets", "ws"),
    also=("unknown/",),
    least=2,
    kind=4,
)
def answers_a_subprotocol_that_was_not_offered(app: App) -> None:
    app.ordinary()
    app.options["protocols"] = app.rng.choice([["chat.v2"], ["json"], []])
    answer = app.rng.choice(["chat.v1", "graphql-ws", "msgpack"])
    if app.stack in ("fastapi", "starlette", "raw"):
        app.settings["answer_protocol"] = answer
    else:  # which check what they answer
        app.between = ["hangup", {"kind": "relay", "response": {"Sec-WebSocket-Protocol": answer}}]
        app.label.place = "intermediary"


@fault(
    "handshake/subprotocol",
    "server",
    "header",
    "client",
    also=("message/vocabulary-mismatch",),
    forms=("flat", "nested", "jsonrpc"),
)
def subprotocol_is_not_acceptable(app: App) -> None:
    """The server accepts, sees that no subprotocol of its own was offered, and closes."""
    app.label.told = False
    app.greet(welcome=False)
    app.chatter()
    app.options["protocols"] = []
    app.settings["protocols"] = ["app.v2"]
    if app.maybe(0.6) and app.library != "ws":
        app.options["protocols"] = [app.rng.choice(["app.v1", "graphql-ws", "soap"])]
    code, reason = app.rng.choice(
        (
            (4406, "Subprotocol not acceptable"),
            (1002, "subprotocol required"),
            (4406, ""),
            (1003, "unsupported subprotocol"),
        )
    )
    app.server["open"] = [["close", code, reason], ["return"]]


@fault(
    "handshake/header-size",
    "server",
    "header",
    "client",
    statuses=(400, 431, 413, 403, 500),
    stacks=("websockets", "aiohttp", "ws", "raw", "fastapi", "tornado"),
    kind=4,
)
def cookie_is_too_large(app: App) -> None:
    app.ordinary()
    size = {"websockets": 9000, "aiohttp": 9000, "ws": 18_000, "fastapi": 70_000, "tornado": 70_000}.get(
        app.stack, 9000
    )
    app.settings["max_head"] = 8192
    app.options["headers"]["Cookie"] = f"session={app.rng.getrandbits(64):x}; prefs=" + "".join(
        app.rng.choices("abcdef0123456789", k=size)
    )
    if app.stack in ("fastapi", "tornado"):
        app.between = ["hangup", {"kind": "nginx", "server": "large_client_header_buffers 4 8k;"}]
        app.label.place = "intermediary"


@fault(
    "handshake/header-size",
    "server",
    "header",
    "intermediary",
    statuses=(400, 414, 431, 413),
    needs=("nginx",),
    also=("handshake/parameter",),
)
def address_is_too_long_for_nginx(app: App) -> None:
    app.ordinary()
    app.query["state"] = "".join(app.rng.choices("abcdef0123456789", k=9000))
    app.between = ["hangup", {"kind": "nginx", "server": "large_client_header_buffers 4 8k;"}]


@fault(
    "handshake/no-ws-support",
    "server",
    "none",
    "application",
    statuses=(200, 404, 400, 426, 405, 403, 500),
    stacks=("aiohttp", "fastapi", "starlette"),
    also=("handshake/path", "handshake/http-version", "intermediary/upgrade-dropped"),
)
def route_is_plain_http(app: App) -> None:
    app.ordinary()
    app.settings |= {"plain": True, "ws": "none"}


@fault(
    "handshake/never-accepted", "server", "none", "application", statuses=(500, 502), never=("message/schema",), kind=3
)
def fails_before_it_accepts(app: App) -> None:
    app.ordinary()
    app.refusals = [
        {
            "if": {"always": True},
            "how": "raise",
            "body": app.rng.choice(
                [
                    "connection pool exhausted",
                    "missing 1 required positional argument: 'request'",
                    "no such table: users",
                ]
            ),
        }
    ]


@fault(
    "handshake/never-accepted",
    "server",
    "none",
    "application",
    statuses=(500, 502),
    kind=8,
    never=("message/schema", "heartbeat/app-ping-kills"),
)
def fails_before_it_accepts_with_a_traceback(app: App) -> None:
    """The traceback's words are of messages and fields; none was sent."""
    app.ordinary()
    app.with_log = True
    words = app.rng.choice(
        [
            "message schema: field required",
            "ping() missing 1 required positional argument",
            "JSONDecodeError in settings: Expecting value",
        ]
    )
    app.refusals = [{"if": {"always": True}, "how": "raise", "body": words, "log": f"RuntimeError: {words}"}]


@fault(
    "handshake/never-accepted",
    "client",
    "age",
    "application",
    libraries=("websockets", "ws", "raw"),
    unanswered=True,
    seconds=12.0,
    enough=3,
    stacks=("fastapi", "starlette", "websockets", "aiohttp", "tornado", "ws", "raw"),
    also=("client-lifecycle/connect-deadline",),
)
def no_answer_at_all(app: App) -> None:
    app.ordinary()
    app.refusals = [{"if": {"always": True}, "how": "hang"}]
    app.options["open_timeout"] = app.t(1.2, 2.5)


@fault("handshake/limit", "server", "connection", "application", statuses=(403, 429, 503), seconds=7.0, enough=6)
def so_many_connections_and_no_more(app: App) -> None:
    app.ordinary()
    limit = app.rng.randint(2, 8)
    app.crowd(limit + 2, limit + 4)
    body = app.rng.choice(["too many connections", '{"error":"connection limit reached"}', ""])
    app.refusals = [{"if": {"company": limit}, "how": "http", "status": app.rng.choice([429, 503]), "body": body}]
    app.delay = app.t(0.5, 1)


@fault("handshake/limit", "server", "connection", "application", seconds=7.0, enough=6)
def turned_away_after_accept(app: App) -> None:
    app.ordinary()
    limit = app.rng.randint(2, 8)
    app.crowd(limit + 2, limit + 4)
    code, reason = app.rng.choice(
        ((1013, "server full"), (1008, "too many connections"), (4429, "connection limit"), (1013, ""))
    )
    app.server["open"] = [["when", {"company": limit}, [["close", code, reason], ["return"]]], *app.server["open"]]
    app.delay = app.t(0.5, 1)


@fault(
    "handshake/limit", "server", "connection", "intermediary", statuses=(503,), seconds=7.0, enough=6, stacks=GENERIC
)
def gateway_is_full(app: App) -> None:
    app.ordinary()
    limit = app.rng.randint(2, 5)
    app.crowd(limit + 1, limit + 3)
    app.between = ["hangup", {"kind": "relay", "most": limit}]
    app.delay = app.t(0.5, 1)
