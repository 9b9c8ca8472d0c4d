"""What a message is, or is not."""

from __future__ import annotations

import json

from lab.app import JSON_FORMS, App
from lab.faults.words import STATE
from lab.style import Style
from lab.table import fault

FIELDED = ("flat", "flat", "nested", "jsonrpc", "array", "codes")
INVALID = ((1003, "unsupported data"), (1007, "invalid payload"), (1008, "validation error"), (4400, "bad request"))
PINGS = ["ping", "PING", "heartbeat", "hb", "keep-alive", "♥", "ping\n", "--", "p", "are you there?"]
NOT_JSON = [
    "undefined",
    "[object Object]",
    "{'type': 'refresh', 'n': 4}",
    '{"type":"refresh","n":4',
    "<refresh n='4'/>",
    "type=refresh&n=4",
    "REFRESH 4",
    "",
    '{"type":"refresh",}',
]
NO_DEFLATE = ("fastapi", "starlette", "websockets", "aiohttp", "tornado", "raw", "ws")


def plain(app: App) -> None:
    """No compression, so that bytes written past the library mean what they say."""
    app.settings["deflate"] = app.options["deflate"] = False


@fault(
    "heartbeat/app-ping-kills",
    "server",
    "message",
    "application",
    forms=JSON_FORMS,
    property="not JSON",
    also=("message/not-json",),
)
def text_ping_to_a_json_reader(app: App) -> None:
    app.ordinary(beat=False)
    app.server["reader"] = "json"
    every = app.t(0.5, 2)
    app.client["timers"].append({"first": every, "every": every, "do": [["send", {"text": app.rng.choice(PINGS)}]]})


@fault(
    "message/not-json",
    "server",
    "message",
    "application",
    forms=JSON_FORMS,
    property="not JSON",
    also=("server-handler/crash-on-message", "message/encoding"),
)
def not_json_to_a_json_reader(app: App) -> None:
    app.ordinary()
    app.server["reader"] = "json"
    app.client["timers"].append({"first": app.t(0.3, 2), "do": [["send", {"text": app.rng.choice(NOT_JSON)}]]})


@fault(
    "message/schema",
    "server",
    "message",
    "application",
    forms=FIELDED,
    property="lacks a field",
    also=("server-handler/crash-on-message",),
)
def lacks_a_field(app: App) -> None:
    app.ordinary()
    _lacking(app, whole_ones=app.maybe(0.6))


def _lacking(app: App, whole_ones: bool, words: str = "") -> None:
    role = app.rng.choice(["say", "more"])
    field = app.rng.choice(sorted(app.style.fields(role)))
    app.client["timers"] = [t for t in app.client["timers"] if t["do"] != [["send", app.style.say(role)]]]
    if whole_ones:
        every = app.t(0.2, 0.5)
        app.client["timers"].append({"first": 0.2, "every": every, "do": [["send", app.style.say(role)]]})
    app.client["timers"].append({"first": app.t(0.6, 2), "do": [["send", app.style.say(role, without=field)]]})
    broken = {**app.style.when(role), "not": {"re": f'"{field}"'}}
    app.rule(broken, app.crash(codes=INVALID, words=words or f"field required: {field}", error="KeyError"))


@fault(
    "message/schema",
    "server",
    "message",
    "application",
    forms=FIELDED,
    property="lacks a field",
    kind=12,
    also=("server-handler/crash-on-message",),
)
def says_which_field_is_missing(app: App) -> None:
    app.ordinary()
    _lacking(app, whole_ones=True)
    steps = [step for step in app.server["on"][0]["do"] if step[0] != "send"]
    app.server["on"][0]["do"] = [["send", app.style.error("1 validation error: field required")], *steps]


@fault(
    "message/schema",
    "server",
    "message",
    "application",
    forms=FIELDED,
    property="a value",
    also=("server-handler/crash-on-message",),
)
def wrong_value(app: App) -> None:
    app.ordinary()
    role = app.rng.choice(["say", "ask"])
    field = app.rng.choice(sorted(app.style.fields(role)))
    bad = app.rng.choice([None, -1, "NaN", [], {"a": 1}, "12,5"])
    every = app.t(0.2, 0.5)
    app.client["timers"].append({"first": 0.2, "every": every, "do": [["send", app.style.say(role)]]})
    app.client["timers"].append({"first": app.t(0.6, 2), "do": [["send", app.style.say(role, **{field: bad})]]})
    dumped = json.dumps(bad, separators=None if app.style.spaced else (",", ":"))
    pattern = f'"{field}": ?' + "".join("\\" + c if c in "[]{}." else c for c in dumped)
    app.rule({"re": pattern}, app.crash(codes=INVALID, words=f"{field}: invalid value", error="ValueError"))


@fault(
    "message/unknown-type",
    "server",
    "message",
    "application",
    property="unknown kind",
    also=("server-handler/crash-on-message", "message/schema"),
)
def unknown_kind(app: App) -> None:
    _unknown(
        app,
        app.crash(
            codes=((1003, "unknown type"), (4000, "unsupported op"), (1008, "unknown event")), error="ValueError"
        ),
    )


def _unknown(app: App, steps: list[list[object]]) -> None:
    app.ordinary()
    name = app.rng.choice(["presence_v2", "typing_start", "client_info", "metrics", "set_locale", "resync"])
    app.client["timers"].append({"first": app.t(0.3, 2), "do": [["send", app.style.say("x", name=name, v=2)]]})
    app.rule({"re": app.style.re("x", name=name)}, steps)


@fault(
    "message/unknown-type",
    "server",
    "message",
    "application",
    property="unknown kind",
    kind=12,
    also=("server-handler/crash-on-message",),
)
def says_that_the_kind_is_unknown(app: App) -> None:
    words = app.rng.choice(["unknown message type", "unsupported operation", "no handler for this event"])
    end = app.rng.choice([["close", 1003, ""], ["close", 1000, ""], ["return"], ["raise", "LookupError", words]])
    _unknown(app, [["send", app.style.error(words)], end, ["return"]])


@fault(
    "message/order-before-hello",
    "server",
    "message",
    "application",
    property="order",
    also=("message/schema", "server-handler/crash-on-message", "handshake/auth-rejected"),
)
def speaks_before_its_hello(app: App) -> None:
    app.chatter(app.t(0.2, 0.5))
    app.client["open"] = [["sleep", app.t(0.6, 1.5)], ["send", app.style.say("hello")]]
    if app.maybe(0.5):
        app.server["open"] = [["send", app.style.say("welcome")]]
    app.rule(
        {"no_flag": "greeted"},
        app.crash(
            codes=((4401, "unauthorized"), (1008, "not authenticated"), (4003, "identify first")), words="hello first"
        ),
    )
    app.rule(app.style.when("hello"), [["set", "greeted", True], ["send", app.style.say("ack")]])
    if app.maybe(0.5):
        app.client["timers"][0]["first"] = 0.01


@fault(
    "message/order-before-hello",
    "server",
    "message",
    "application",
    property="order",
    enough=6,
    also=("message/out-of-state", "message/init-missing"),
)
def what_waited_is_sent_before_the_hello(app: App) -> None:
    """After a reconnect the client sends what has waited for the connection, and only then its hello."""
    app.chatter(app.t(0.2, 0.5))
    hello, waited = ["send", app.style.say("hello")], ["send", app.style.say("say")]
    app.client["open"] = [["when", {"first": True}, [hello], [waited, ["sleep", app.t(0.03, 0.2)], hello]]]
    first = app.t(1.2, 2.4)
    app.client["timers"].append({"first": first, "if": {"first": True}, "do": [["close", 1000, ""]]})
    ends = ((4401, "unauthorized"), (1008, ""), (4003, "Not authenticated."), (4001, "no hello"))
    code, reason = app.rng.choice(ends)
    app.rule({"no_flag": "greeted"}, [["sleep", app.t(0.001, 0.05)], ["close", code, reason], ["return"]])
    app.rule(app.style.when("hello"), [["set", "greeted", True], ["send", app.style.say("welcome")]])


@fault(
    "message/init-missing",
    "server",
    "age",
    "client",
    property="lacks hello",
    kind=9,
    never=("server-handler/crash-on-own-event", "process/worker-timeout"),
    also=("heartbeat/app-pong-missing-from-client",),
    seconds=12.0,
)
def hello_never_comes(app: App) -> None:
    """The server waits so long for the first message of the protocol; the client only listens, or speaks of other
    things."""
    if app.maybe(0.5):
        app.server["open"] = [["send", app.style.say("welcome")]]
    if app.maybe(0.5):
        app.news()
    if app.maybe(0.4):
        app.beat()
    code, reason = app.rng.choice(
        ((4408, "connection initialisation timeout"), (1008, "no hello"), (4001, "login timeout"), (1000, ""))
    )
    app.server["deadlines"].append(
        {
            "for": app.style.when("hello"),
            "within": app.t(0.8, 2.5),
            "once": True,
            "do": [["close", code, reason], ["return"]],
        }
    )


@fault(
    "message/vocabulary-mismatch",
    "server",
    "message",
    "client",
    property="another protocol",
    forms=JSON_FORMS,
    also=(
        "message/schema",
        "message/unknown-type",
        "server-handler/returns-after-message",
        "server-handler/crash-on-message",
    ),
)
def speaks_another_protocol(app: App) -> None:
    """Server and client are of different versions: nothing that the client says is known."""
    other = Style(app.rng, FIELDED)
    while other.key == app.style.key or other.theme == app.style.theme:
        other = Style(app.rng, FIELDED)
    if app.maybe(0.6):
        app.server["open"] = [["send", app.style.say("welcome")]]
    app.client["open"] = [["sleep", app.t(0.01, 0.8)], ["send", other.say("hello")]]
    app.client["timers"].append({"first": 1, "every": app.t(0.3, 1), "do": [["send", other.say("say")]]})
    known = [app.style.when(role) for role in ("hello", "say", "more", "ask", "ping")]
    app.rule(
        {"not": {"any": known}},
        app.crash(
            codes=((4400, "invalid message"), (1003, ""), (1002, "protocol error"), (1008, "bad message")),
            words="unexpected message",
        ),
    )


@fault(
    STATE,
    "server",
    "message",
    "application",
    property="order",
    also=(
        "identity/id-collision",
        "message/order-before-hello",
        "message/schema",
        "server-handler/crash-on-message",
        "unknown/",
    ),
    never=("process/message-count-limit",),
)
def says_hello_twice(app: App) -> None:
    """The client greets again, after a reconnect of its own logic say; the server takes one greeting."""
    app.ordinary(greet=False)
    app.client["open"] = [["send", app.style.say("hello")]]
    app.client["timers"].append({"first": app.t(0.6, 1.8), "do": [["send", app.style.say("hello")]]})
    app.rule(app.style.when("hello"), [["set", "greeted", True], ["send", app.style.say("welcome")]])
    codes = ((4429, "too many initialisation requests"), (1008, "already identified"), (4005, "already authenticated"))
    app.rule({**app.style.when("hello"), "flag": "greeted"}, app.crash(codes=codes, words="already greeted"))


@fault(
    STATE,
    "server",
    "message",
    "application",
    property="order",
    also=("message/schema", "server-handler/crash-on-message", "message/order-before-hello", "unknown/"),
)
def asks_while_paused(app: App) -> None:
    """After ``begin`` no ``ask`` is allowed any more."""
    app.ordinary()
    asks = app.t(0.3, 0.6)
    app.client["timers"].append({"first": asks, "every": asks, "do": [["send", app.style.say("ask")]]})
    app.client["timers"].append({"first": app.t(1, 2), "do": [["send", app.style.say("begin")]]})
    app.rule(app.style.when("ask"), [["send", app.style.say("answer")]])
    app.rule(app.style.when("begin"), [["set", "begun", True]])
    codes = ((1008, "not allowed now"), (4409, "invalid state"), (1002, "unexpected"))
    app.rule({**app.style.when("ask"), "flag": "begun"}, app.crash(codes=codes, words="invalid state"))
