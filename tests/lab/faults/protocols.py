"""Faults of servers that speak a protocol of their own: Engine.IO and Socket.IO, graphql-ws."""

from __future__ import annotations

import json
from typing import Any

from lab.app import App
from lab.faults.words import STATE
from lab.table import fault

SIO = ("socket.io", "socketio")
TALKERS = ("websockets", "ws", "aiohttp")
GQL = ("graphql-ws",)
PROTOCOL = "graphql-transport-ws"


def text(value: Any) -> list[Any]:
    """A step that sends this as JSON, or as it is when it is a string."""
    return ["send", {"text": value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))}]


def engine(
    app: App, *, join: bool = True, pongs: bool = True, events: bool = True, auth: dict[str, Any] | None = None
) -> None:
    """A client that speaks Engine.IO 4 and Socket.IO by itself."""
    app.route, app.query = "/socket.io/", {"EIO": "4", "transport": "websocket"}
    app.settings |= {
        "eio_interval": app.t(0.5, 1.2),
        "eio_timeout": app.t(0.5, 1),
        "connect_timeout": 45,
        "news": app.t(0.4, 1),
    }
    app.client = {"seed": app.client["seed"], "open": [], "on": [], "timers": [], "deadlines": []}
    if pongs:
        app.client["on"].append({"if": {"re": "^2$"}, "do": [text("3")]})
    if join:
        app.client["on"].append({"if": {"re": "^0"}, "do": [text("40" + (json.dumps(auth) if auth else ""))]})
        if events:
            app.client["timers"].append(
                {"first": app.t(0.3, 0.6), "every": app.t(0.3, 1), "do": [text('42["chat",{"n":"«#n»","text":"«w»"}]')]}
            )


@fault(
    "message/init-missing",
    "server",
    "age",
    "client",
    stacks=("socket.io",),
    libraries=TALKERS,
    kind=9,
    seconds=14.0,
    enough=3,
    never=("server-handler/crash-on-own-event", "process/worker-timeout"),
)
def joins_no_namespace(app: App) -> None:
    engine(app, join=False)
    app.settings["connect_timeout"] = app.t(1, 3)


@fault(
    "heartbeat/app-pong-missing-from-client",
    "server",
    "age",
    "client",
    stacks=SIO,
    libraries=TALKERS,
    seconds=13.0,
    enough=3,
    also=("heartbeat/direction",),
)
def engine_pings_are_not_answered(app: App) -> None:
    engine(app, pongs=False)


@fault(
    "heartbeat/direction",
    "server",
    "age",
    "client",
    stacks=SIO,
    libraries=TALKERS,
    seconds=13.0,
    enough=3,
    also=("heartbeat/app-pong-missing-from-client",),
)
def pings_as_in_the_old_engine(app: App) -> None:
    """As in Engine.IO 3 the client sends ``2`` and waits for ``3``."""
    engine(app, pongs=False)
    every = app.t(0.5, 1)
    app.client["timers"].append({"first": every, "every": every, "do": [text("2")]})
    if app.stack == "socket.io":  # which does not wait: a client's ping is an error to it
        app.label.trigger, app.label.property = "message", "a ping"
        app.label.alternatives.append("heartbeat/app-ping-kills")


@fault(
    "message/vocabulary-mismatch",
    "server",
    "message",
    "client",
    stacks=("socket.io",),
    libraries=TALKERS,
    also=("message/not-json", "message/schema", "message/unknown-type"),
)
def plain_json_to_socket_io(app: App) -> None:
    engine(app)
    app.client["on"] = app.client["on"][:1]
    app.client["timers"] = []
    app.client["open"] = [
        ["sleep", app.t(0.05, 0.6)],
        text(app.rng.choice(['{"event":"join","room":"a"}', '["join",{"room":"a"}]', "hello"])),
    ]


@fault(
    "message/vocabulary-mismatch",
    "server",
    "message",
    "client",
    stacks=("socket.io",),
    libraries=TALKERS,
    also=("message/schema", "message/not-json", "message/unknown-type"),
)
def broken_packet_to_socket_io(app: App) -> None:
    engine(app)
    bad = app.rng.choice(['42["chat",{"n":1}', "42{}", "49", "42[]", "4"])
    app.client["timers"].append({"first": app.t(0.6, 1.8), "do": [text(bad)]})


@fault(
    "server-handler/crash-on-message",
    "server",
    "message",
    "application",
    stacks=SIO,
    libraries=(*TALKERS, "socket.io-client"),
    property="one event",
    also=("message/unknown-type", "message/schema", "message/out-of-state", "handshake/auth-rejected"),
)
def event_makes_the_server_disconnect(app: App) -> None:
    engine(app)
    app.settings["kicks"] = app.rng.choice(["admin", "leave_room", "typing"])
    app.client["timers"].append(
        {"first": app.t(0.5, 1.5), "do": [text(f'42["{app.settings["kicks"]}",{{"room":"«w»"}}]')]}
    )
    if app.library == "socket.io-client":
        app.options |= {"events": ["chat", app.settings["kicks"]], "every": app.t(0.3, 0.8)}
        app.more_frontend = {"target": app.route}
    if app.stack == "socket.io":
        app.expected.codes = (1005, 1000, 0)
    app.client["on"].append({"if": {"re": "^41"}, "do": [["close", 1000, ""]]})
    app.expected.closer = "client" if app.stack == "socketio" and app.library != "socket.io-client" else "server"
    app.label.closer = app.expected.closer


@fault(
    "message/oversize",
    "server",
    "message",
    "library",
    stacks=SIO,
    libraries=TALKERS,
    property="size",
    also=("client-lifecycle/poison-replay",),
)
def event_is_too_large(app: App) -> None:
    engine(app)
    app.settings["max_size"] = limit = app.rng.choice([2000, 10_000])
    big = {"text": '42["file",{"name":"a.png","data":"§"}]', "pad": int(limit * app.rng.uniform(1.1, 3))}
    app.client["timers"].append({"first": app.t(0.6, 1.6), "do": [["send", big]]})


@fault(
    "handshake/parameter",
    "server",
    "header",
    "client",
    stacks=("socket.io",),
    libraries=TALKERS,
    also=("message/vocabulary-mismatch", "intermediary/upgrade-conflict", "handshake/path"),
)
def engine_version_is_old(app: App) -> None:
    """``EIO=3``: a 101, and then an HTTP 400 in the stream."""
    engine(app)
    app.query["EIO"] = "3"


@fault(
    "handshake/origin",
    "server",
    "header",
    "client",
    stacks=SIO,
    libraries=TALKERS,
    statuses=(400, 403),
    also=("handshake/auth-rejected",),
)
def origin_is_not_allowed_at_socket_io(app: App) -> None:
    engine(app)
    app.label.told = False
    app.settings["origins"] = ["https://app.example.test"]
    app.options["headers"]["Origin"] = "http://localhost:5173"


def graphql(
    app: App,
    *,
    init: bool = True,
    subscribe: bool = True,
    protocol: str = PROTOCOL,
    kind: str = "subscribe",
    token: str = "",
) -> None:
    """A client that speaks graphql-transport-ws by itself."""
    app.route, app.query = "/graphql", {}
    app.settings |= {"init_timeout": app.t(1, 2.5), "ping_interval": app.t(1, 3)}
    app.options["protocols"] = [protocol] if protocol else []
    app.client = {"seed": app.client["seed"], "open": [], "on": [], "timers": [], "deadlines": []}
    if init:
        payload = {"payload": {"token": token or f"{app.rng.getrandbits(64):016x}"}} if app.maybe(0.5) else {}
        app.client["open"] = [text({"type": "connection_init", **payload})]
    ask = {
        "id": "«id»",
        "type": kind,
        "payload": {"query": app.rng.choice(["subscription { power }", "subscription S { orders }"])},
    }
    if subscribe:
        app.client["on"].append({"if": {"re": '"connection_ack"'}, "do": [["sleep", app.t(0.01, 0.8)], text(ask)]})
    app.client["on"].append({"if": {"re": '"type":"ping"'}, "do": [text({"type": "pong"})]})


@fault(
    "handshake/subprotocol",
    "server",
    "header",
    "client",
    stacks=GQL,
    libraries=TALKERS,
    codes=(4406,),
    also=("message/vocabulary-mismatch",),
)
def old_graphql_subprotocol(app: App) -> None:
    graphql(app, protocol=app.rng.choice(["graphql-ws", ""]) if app.library == "websockets" else "")
    if app.library == "ws":
        app.options["protocols"] = []


@fault(
    "message/init-missing",
    "server",
    "age",
    "client",
    stacks=GQL,
    libraries=TALKERS,
    codes=(4408,),
    kind=9,
    seconds=12.0,
    enough=3,
)
def graphql_without_init(app: App) -> None:
    graphql(app, init=False)
    if app.maybe(0.5):
        app.client["timers"].append({"first": 0.4, "every": app.t(0.4, 1), "do": [text({"type": "ping"})]})


@fault("message/order-before-hello", "server", "message", "client", stacks=GQL, libraries=TALKERS, codes=(4401,))
def graphql_subscribes_before_its_init(app: App) -> None:
    graphql(app, init=False)
    ask = {"id": "«id»", "type": "subscribe", "payload": {"query": "subscription { power }"}}
    app.client["open"] = [["sleep", app.t(0.01, 0.4)], text(ask), text({"type": "connection_init"})]


@fault(
    "message/vocabulary-mismatch",
    "server",
    "message",
    "client",
    stacks=GQL,
    libraries=TALKERS,
    codes=(4400,),
    also=("message/unknown-type", "message/schema"),
)
def graphql_start_instead_of_subscribe(app: App) -> None:
    graphql(app, kind=app.rng.choice(["start", "START", "query"]))


@fault(
    "message/schema",
    "server",
    "message",
    "client",
    stacks=GQL,
    libraries=TALKERS,
    codes=(4400,),
    also=("message/not-json", "heartbeat/app-ping-kills", "message/unknown-type", "message/vocabulary-mismatch"),
)
def graphql_message_is_invalid(app: App) -> None:
    graphql(app)
    bad = app.rng.choice(
        [
            "ping",
            '{"type":"subscribe","payload":{"query":"{ me }"}}',
            '{"id":7,"type":"complete"}',
            '{"type":"refresh"}',
        ]
    )
    app.client["timers"].append({"first": app.t(0.5, 1.6), "do": [text(bad)]})


@fault(
    STATE,
    "server",
    "message",
    "client",
    stacks=GQL,
    libraries=TALKERS,
    codes=(4409, 4429),
    also=(
        "identity/id-collision",
        "message/order-before-hello",
        "message/schema",
        "server-handler/crash-on-message",
        "unknown/",
    ),
    never=("process/message-count-limit",),
)
def graphql_state_does_not_allow_it(app: App) -> None:
    """The same operation id while it is active, or a second init."""
    graphql(app)
    ask = {"id": "op-1", "type": "subscribe", "payload": {"query": "subscription { power }"}}
    again = text(ask) if app.maybe(0.6) else text({"type": "connection_init"})
    app.client["on"][0]["do"] = [text(ask), ["sleep", app.t(0.5, 1.4)], again]
    app.client["on"][0]["beside"] = True


@fault(
    "handshake/auth-rejected",
    "server",
    "message",
    "client",
    stacks=GQL,
    libraries=(*TALKERS, "graphql-ws"),
    codes=(4403,),
    also=("identity/token-expired-retry",),
    enough=4,
    least=1,
)
def graphql_forbids(app: App) -> None:
    graphql(app, token="old")
    app.settings["token"] = "new"


@fault(
    "none/healthy",
    "",
    "none",
    "",
    stacks=SIO,
    libraries=(*TALKERS, "socket.io-client"),
    also=("none/harmless-errors",),
    seconds=5.0,
)
def healthy_socket_io(app: App) -> None:
    engine(app)
    app.crowd(1, 4)
    if app.library == "socket.io-client":
        app.options |= {"events": ["chat", "typing"], "every": app.t(0.3, 0.8)}
        app.more_frontend = {"target": app.route}


@fault(
    "none/healthy",
    "",
    "none",
    "",
    stacks=GQL,
    libraries=(*TALKERS, "graphql-ws"),
    also=("none/harmless-errors",),
    seconds=5.0,
)
def healthy_graphql(app: App) -> None:
    graphql(app)
    if app.library == "graphql-ws":
        app.options |= {"queries": ["subscription { power }", "subscription { orders }"], "keep_alive": app.t(0.5, 1.5)}
