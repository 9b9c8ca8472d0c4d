"""What stands between: nginx, HAProxy, or a relay."""

from __future__ import annotations

from typing import Any

from lab.app import App
from lab.faults.words import ACCEPT_KEY, PROXY_RESTART, UPGRADE_DROPPED
from lab.table import GENERIC, fault

NOT_RAW = tuple(s for s in GENERIC if s != "raw")
HOW: list[Any] = ["fin", "fin", "rst", 1001, 1000]


def behind(app: App, part: dict[str, Any]) -> None:
    """Between hangup and the server."""
    app.between = ["hangup", part]


def _quiet(app: App) -> None:
    app.greet()
    app.client["timers"].append({"first": app.t(0.1, 0.4), "do": [["send", app.style.say("say")]]})


@fault("intermediary/idle-timeout", "server", "idle", "intermediary", kind=13, needs=("nginx",), seconds=13.0, enough=3)
def idle_at_nginx(app: App) -> None:
    _quiet(app)
    behind(app, {"kind": "nginx", "location": f"proxy_read_timeout {app.rng.choice([1, 1, 2])}s; "})


@fault("intermediary/idle-timeout", "server", "idle", "intermediary", seconds=13.0, enough=3)
def one_direction_is_idle_at_a_gateway(app: App) -> None:
    """The client speaks all the time; the gateway counts only what comes from the server."""
    app.greet()
    app.chatter(app.t(0.2, 0.5), answered=False)
    behind(app, {"kind": "relay", "idle": app.t(0.8, 2.2), "how": app.rng.choice(HOW), "one_way": True})


@fault(
    "intermediary/idle-timeout", "server", "idle", "intermediary", kind=13, needs=("haproxy",), seconds=13.0, enough=3
)
def idle_at_haproxy(app: App) -> None:
    _quiet(app)
    more = f"timeout tunnel {app.rng.randint(800, 2200)}ms"
    behind(app, {"kind": "haproxy", "haproxy": {"more": more}})


@fault("intermediary/idle-timeout", "server", "idle", "intermediary", seconds=13.0, enough=3)
def idle_at_a_gateway(app: App) -> None:
    _quiet(app)
    behind(app, {"kind": "relay", "idle": app.t(0.7, 2.4), "how": app.rng.choice(HOW), "one_way": app.maybe(0.3)})


@fault(
    "intermediary/lifetime-cap",
    "server",
    "age",
    "intermediary",
    also=("process/worker-timeout",),
    never=("intermediary/idle-timeout",),
    seconds=13.0,
    enough=3,
)
def gateway_caps_the_age(app: App) -> None:
    app.ordinary(beat=True)
    app.crowd(1, 3)
    behind(app, {"kind": "relay", "cap": app.t(0.9, 2.8), "how": app.rng.choice(HOW)})


@fault(
    "intermediary/frame-corruption",
    "server",
    "message",
    "intermediary",
    stacks=("fastapi", "starlette", "websockets", "ws", "raw"),
    also=("message/framing", "message/invalid-utf8", "handshake/extension"),
    enough=3,
)
def frames_are_damaged_on_the_way_in(app: App) -> None:
    app.ordinary()
    app.settings["deflate"] = app.options["deflate"] = False
    how = app.rng.choice(["reserved", "unmasked"] if app.stack != "raw" else ["reserved"])
    part = {"kind": "relay", "corrupt": {"side": "client", "nth": app.rng.randint(2, 5), "how": how}}
    app.between = [part, "hangup"] if app.maybe(0.5) else ["hangup", part]


@fault(
    "intermediary/frame-corruption",
    "client",
    "message",
    "intermediary",
    libraries=("websockets", "ws"),
    enough=3,
    also=("message/framing", "message/invalid-utf8", "handshake/extension"),
    seconds=11.0,
)
def frames_are_damaged_on_the_way_out(app: App) -> None:
    app.ordinary(news=True)
    app.settings["deflate"] = app.options["deflate"] = False
    part = {
        "kind": "relay",
        "corrupt": {
            "side": "server",
            "nth": app.rng.randint(2, 5),
            "how": app.rng.choice(["reserved", "opcode", "length"]),
        },
    }
    behind(app, part)


@fault(
    "message/framing",
    "server",
    "message",
    "intermediary",
    property="fragmented",
    libraries=("raw",),
    also=("intermediary/frame-corruption",),
    forms=("flat", "nested", "text"),
)
def gateway_knows_no_fragments(app: App) -> None:
    app.ordinary(greet=False)
    app.options["quirks"] = ["fragments"]
    behind(app, {"kind": "relay", "no_fragments": True, "how": app.rng.choice(["fin", 1003, 1002])})


@fault(
    "intermediary/upgrade-conflict",
    "server",
    "none",
    "application",
    kind=7,
    stacks=("raw", "ws"),
    never=("server-handler/returns-immediately",),
)
def two_upgrade_handlers(app: App) -> None:
    app.ordinary()
    app.settings |= {
        "conflict_status": app.rng.choice([400, 404, 426]),
        "conflict_after": app.t(0.001, 0.05),
        "quirks": ["http_after"],
    }


@fault(
    "intermediary/upgrade-conflict",
    "server",
    "none",
    "intermediary",
    kind=7,
    never=("server-handler/returns-immediately", "message/framing"),
)
def gateway_answers_http_after_the_upgrade(app: App) -> None:
    app.ordinary()
    body = app.rng.choice(
        [b"Bad Request", b"<html><h1>404 Not Found</h1></html>", b'{"code":3,"message":"Bad request"}']
    )
    status = app.rng.choice([b"400 Bad Request", b"404 Not Found", b"502 Bad Gateway"])
    answer = b"HTTP/1.1 " + status + b"\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body
    behind(app, {"kind": "relay", "after_101": answer.hex(), "after": app.t(0.001, 0.06)})


@fault(
    "intermediary/non-sticky",
    "server",
    "header",
    "intermediary",
    statuses=(400, 403, 404),
    also=("handshake/parameter", "identity/stale-resume"),
    forms=("flat", "nested", "codes", "array", "jsonrpc"),
    seconds=10.0,
    enough=6,
)
def session_lands_on_another_worker(app: App) -> None:
    app.style.fields = _with_session(app.style.fields)  # type: ignore[method-assign]
    app.server["open"] = [["keep", "sid", "«id»"], ["send", app.style.say("welcome")]]
    app.chatter()
    app.client["on"].append({"if": app.style.when("welcome"), "do": [["remember", "sid", '"sid": ?"(\\w+)"']]})
    app.client["timers"].append({"first": app.t(0.3, 0.9), "do": [["close", 1000, ""]]})
    body = app.rng.choice(['{"code":1,"message":"Session ID unknown"}', "Invalid session", ""])
    app.refusals = [{"if": {"unknown": "sid"}, "how": "http", "status": app.rng.choice([400, 404]), "body": body}]
    app.more_frontend = {"plain_target": app.target}
    app.query["sid"] = "«sid»"
    behind(app, {"kind": "relay", "servers": app.rng.choice([2, 3])})


def _with_session(fields: Any) -> Any:
    return lambda role: fields(role) | ({"sid": "«sid»"} if role == "welcome" else {})


@fault(
    UPGRADE_DROPPED,
    "server",
    "none",
    "intermediary",
    kind=13,
    needs=("nginx",),
    statuses=(400, 403, 404, 426, 500, 505),
    stacks=tuple(s for s in GENERIC if s != "channels"),
    also=("handshake/http-version", "handshake/no-ws-support"),
    never=("handshake/path",),
)
def nginx_without_upgrade(app: App) -> None:
    app.ordinary()
    behind(app, {"kind": "nginx", "upgrade": False})


@fault(
    UPGRADE_DROPPED,
    "server",
    "none",
    "intermediary",
    statuses=(400, 403, 404, 426, 500, 505),
    stacks=tuple(s for s in GENERIC if s != "channels"),
    also=("handshake/http-version", "handshake/no-ws-support"),
    never=("handshake/path",),
    kind=13,
)
def gateway_drops_the_upgrade(app: App) -> None:
    app.ordinary()
    changes = app.rng.choice([{"Upgrade": None, "Connection": "keep-alive"}, {"Upgrade": None, "Connection": "close"}])
    behind(app, {"kind": "relay", "request": {**changes, "Via": "1.1 edge"} if app.maybe(0.4) else changes})


@fault(
    "handshake/http-version",
    "server",
    "header",
    "intermediary",
    statuses=(400, 403, 404, 426, 500, 505),
    also=(UPGRADE_DROPPED, "handshake/no-ws-support"),
    stacks=("websockets", "ws", "fastapi", "starlette", "aiohttp", "tornado"),
    kind=7,
)
def version_of_the_protocol_is_old(app: App) -> None:
    """``Sec-WebSocket-Version`` is not 13 on its way to the server."""
    app.label.told = False
    app.ordinary()
    behind(app, {"kind": "relay", "request": {"Sec-WebSocket-Version": app.rng.choice(["0", "6", "14"])}})
    if app.maybe(0.5):
        app.between.reverse()


@fault(
    ACCEPT_KEY,
    "client",
    "header",
    "intermediary",
    kind=7,
    libraries=("websockets", "ws", "aiohttp"),
    also=("unknown/",),
    least=2,
)
def accept_is_for_another_key(app: App) -> None:
    """A gateway has a key of its own towards the backend and copies the 101."""
    app.ordinary()
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    behind(app, {"kind": "relay", "request": {"Sec-WebSocket-Key": key}})


@fault(
    ACCEPT_KEY,
    "client",
    "header",
    "library",
    kind=7,
    stacks=("raw",),
    libraries=("websockets", "ws", "aiohttp"),
    also=("unknown/",),
)
def accept_is_computed_wrongly(app: App) -> None:
    app.ordinary()
    app.settings["quirks"] = ["accept"]


@fault(
    ACCEPT_KEY,
    "client",
    "header",
    "intermediary",
    kind=7,
    libraries=("websockets", "ws", "aiohttp"),
    also=("unknown/", "handshake/no-ws-support"),
)
def accept_is_missing(app: App) -> None:
    app.ordinary()
    behind(app, {"kind": "relay", "response": {"Sec-WebSocket-Accept": None}})


@fault(
    PROXY_RESTART,
    "server",
    "none",
    "intermediary",
    kind=13,
    needs=("nginx",),
    also=("process/restart", "process/crash"),
    seconds=11.0,
    enough=8,
    least=3,
)
def nginx_restarts(app: App) -> None:
    app.ordinary()
    app.crowd(2, 5)
    behind(
        app, {"kind": "nginx", "restart": {"first": app.t(1.2, 2.2), "every": app.t(1.6, 2.6), "down": app.t(0.1, 0.6)}}
    )


@fault(
    PROXY_RESTART,
    "server",
    "none",
    "intermediary",
    kind=13,
    needs=("haproxy",),
    also=("process/restart", "process/crash"),
    seconds=11.0,
    enough=8,
    least=3,
)
def haproxy_restarts(app: App) -> None:
    app.ordinary()
    app.crowd(2, 5)
    behind(
        app,
        {"kind": "haproxy", "restart": {"first": app.t(1.2, 2.2), "every": app.t(1.6, 2.6), "down": app.t(0.1, 0.6)}},
    )


@fault(
    PROXY_RESTART,
    "server",
    "none",
    "intermediary",
    kind=13,
    also=("process/restart", "process/crash"),
    seconds=11.0,
    enough=8,
    least=3,
)
def gateway_restarts(app: App) -> None:
    app.ordinary()
    app.crowd(2, 5)
    plan = {"first": app.t(1.2, 2.2), "every": app.t(1.6, 2.6), "down": app.t(0.05, 0.6)}
    behind(app, {"kind": "relay", "how": app.rng.choice(["fin", "rst", 1001, 1012]), "restart": plan})


@fault(
    "handshake/extension",
    "server",
    "header",
    "library",
    stacks=("raw",),
    libraries=("ws", "websockets"),
    also=("message/framing",),
    forms=("flat", "nested", "text"),
)
def deflate_is_promised_but_not_there(app: App) -> None:
    app.ordinary()
    app.settings["quirks"] = ["no_deflate"]
    app.options["deflate"] = True
    app.client["timers"].append({"first": 0.3, "every": 0.4, "do": [["send", app.style.say("say", pad=1300)]]})


@fault(
    "handshake/extension",
    "server",
    "header",
    "library",
    stacks=("raw",),
    libraries=("ws", "websockets"),
    also=("message/framing",),
    forms=("flat", "nested", "text"),
    property="the context of the compression",
)
def what_was_said_before_is_forgotten(app: App) -> None:
    """The client's second compressed message refers to its first, of which the server has kept nothing."""
    app.ordinary(news=app.maybe(0.5))
    app.settings["quirks"] = ["fresh_inflater"]
    app.options["deflate"] = True
    large = ["send", app.style.say("say", pad=app.rng.randint(1100, 1600))]
    app.client["timers"].append({"first": app.t(0.2, 0.6), "every": app.t(0.4, 1.2), "do": [large]})


@fault(
    "handshake/extension",
    "server",
    "header",
    "intermediary",
    stacks=("fastapi", "starlette", "websockets", "tornado", "ws", "raw"),
    libraries=("ws", "websockets"),
    also=("message/framing", "intermediary/frame-corruption"),
    forms=("flat", "nested", "text"),
)
def gateway_promises_deflate(app: App) -> None:
    """It strips the offer on the way in and adds its own answer on the way out."""
    app.ordinary()
    app.settings["deflate"], app.options["deflate"] = False, True
    app.client["timers"].append({"first": 0.3, "every": 0.4, "do": [["send", app.style.say("say", pad=1300)]]})
    behind(
        app,
        {
            "kind": "relay",
            "request": {"Sec-WebSocket-Extensions": None},
            "response": {"Sec-WebSocket-Extensions": "permessage-deflate"},
        },
    )


@fault(
    "handshake/extension",
    "client",
    "header",
    "intermediary",
    libraries=("ws", "websockets"),
    also=("unknown/",),
    least=2,
)
def an_extension_that_was_not_offered(app: App) -> None:
    app.ordinary()
    app.options["deflate"] = False
    behind(
        app,
        {
            "kind": "relay",
            "response": {"Sec-WebSocket-Extensions": app.rng.choice(["permessage-deflate", "x-webkit-deflate-frame"])},
        },
    )
