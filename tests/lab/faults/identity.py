"""Who a client is, and what the server remembers of it."""

from __future__ import annotations

import base64
import json

from lab.app import JSON_FORMS, App
from lab.table import fault

REPLACED = (
    (4409, "replaced by a new connection"),
    (1008, "duplicate client id"),
    (1000, ""),
    (4001, "connected elsewhere"),
    (4010, ""),
)
FIELDED = ("flat", "flat", "nested", "jsonrpc", "codes")


def _own_id(app: App) -> None:
    if "{client_id}" not in app.route:
        app.query["id" if app.maybe(0.5) else "client_id"] = app.client_id


@fault("identity/id-collision", "server", "connection", "client", enough=7, least=3)
def two_tabs_of_one_id(app: App) -> None:
    _own_id(app)
    app.ordinary()
    app.crowd(2, 2)
    app.tabs[1]["after"] = app.t(0.4, 1.2)
    app.delay = app.t(0.3, 0.9)
    code, reason = app.rng.choice(REPLACED)
    app.server["open"] = [["same", [["close", code, reason], ["return"]]], ["register"], *app.server["open"]]
    app.server["gone"] = [["when", {"registered": True}, [["unregister"]]]]


@fault(
    "identity/stale-cleanup",
    "client",
    "connection",
    "application",
    seconds=14.0,
    enough=5,
    least=2,
    also=("heartbeat/app-pong-missing-from-server",),
)
def late_cleanup_removes_the_new(app: App) -> None:
    """The old handler's clean-up runs late and by the id alone: the new connection hears nothing any more."""
    _own_id(app)
    app.greet(welcome=False)
    app.server["open"] = [["register"], ["send", app.style.say("welcome")]]
    app.server["gone"] = [["sleep", app.t(0.5, 0.7)], ["unregister"]]
    every = app.t(0.15, 0.3)
    app.server["timers"].append(
        {"first": every, "every": every, "if": {"registered": True}, "do": [["send", app.style.say("event")]]}
    )
    app.delay, app.factor, app.jitter = app.t(0.1, 0.25), 1, 0.1
    app.client["timers"].append({"first": app.t(0.8, 1.5), "if": {"first": True}, "do": [["close", 1000, ""]]})
    app.client["deadlines"].append(
        {"for": {}, "within": app.t(0.9, 1.5), "do": app.leave(((1000, ""), (4000, "silence")))}
    )


@fault(
    "identity/ghost-session",
    "server",
    "connection",
    "application",
    kind=5,
    seconds=12.0,
    enough=7,
    also=("identity/id-collision", "handshake/limit"),
)
def newcomer_waits_for_the_ghost(app: App) -> None:
    """After an abrupt loss the id counts as connected for a while; newcomers are turned away."""
    _own_id(app)
    app.ordinary()
    app.server["gone"] = [["when", {"flag": "mine"}, [["sleep", app.t(1, 2.2)], ["unregister"]]]]
    code, reason = app.rng.choice(((4409, "already connected"), (1008, "session in use"), (4002, "duplicate session")))
    turned = [["close", code, reason], ["return"]]
    app.server["open"] = [["when", {"taken": True}, turned, [["register"], ["set", "mine", True]]], *app.server["open"]]
    app.delay, app.factor = app.t(0.2, 0.5), 1
    app.client["timers"].append({"first": app.t(0.8, 1.6), "do": [["abort"] if app.maybe(0.5) else ["fin"]]})


@fault(
    "identity/ghost-session",
    "server",
    "connection",
    "application",
    kind=5,
    seconds=12.0,
    enough=7,
    statuses=(403, 409),
    also=("identity/id-collision", "handshake/limit", "handshake/auth-rejected"),
)
def newcomer_is_refused_for_the_ghost(app: App) -> None:
    _own_id(app)
    app.ordinary()
    app.server["gone"] = [["sleep", app.t(1, 2.2)], ["unregister"]]
    app.server["open"] = [["register"], *app.server["open"]]
    app.refusals = [
        {
            "if": {"taken": True},
            "how": "http",
            "status": 409,
            "body": app.rng.choice(["session exists", '{"error":"already connected"}', ""]),
        }
    ]
    app.delay, app.factor = app.t(0.2, 0.5), 1
    app.client["timers"].append({"first": app.t(0.8, 1.6), "do": [["abort"] if app.maybe(0.5) else ["fin"]]})


@fault(
    "identity/stale-resume",
    "server",
    "message",
    "client",
    forms=FIELDED,
    kind=5,
    property="a resume of an old session",
    seconds=10.0,
    enough=5,
    least=2,
)
def resumes_for_ever(app: App) -> None:
    app.style.fields = _with(app.style.fields, "welcome", {"session_id": "«sid»"})  # type: ignore[method-assign]
    app.server["open"] = [["keep", "sid", "«id»"], ["send", app.style.say("welcome")]]
    app.chatter()
    app.client["on"].append(
        {
            "if": app.style.when("welcome"),
            "do": [["when", {"no_flag": "old"}, [["remember", "old", '"session_id": ?"(\\w+)"']]]],
        }
    )
    resume = app.style.say("x", name="resume", session="«old»", seq="«#n»")
    app.client["open"] = [["when", {"flag": "old"}, [["send", resume]], [["send", app.style.say("hello")]]]]
    app.server["timers"].append(
        {
            "first": app.t(1, 2),
            "if": {"first": True},
            "do": [["close", app.rng.choice([1001, 1012, 4000]), ""], ["return"]],
        }
    )
    codes = ((4009, "session timed out"), (4006, "session no longer valid"), (1008, "unknown session"), (4004, ""))
    app.rule(
        {"re": app.style.re("x", name="resume")}, app.crash(codes=codes, words="invalid session", error="LookupError")
    )


def _with(fields, role, more):  # type: ignore[no-untyped-def]
    return lambda asked: fields(asked) | (more if asked == role else {})


def _jwt(app: App) -> str:
    def part(data: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")

    claims = {"sub": app.client_id, "exp": 1_700_000_000 + app.rng.randrange(10**6), "iat": 1_699_990_000}
    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}.{app.rng.getrandbits(200):050x}"


@fault(
    "identity/token-expired-retry",
    "server",
    "header",
    "client",
    also=("handshake/auth-rejected",),
    never=("server-handler/returns-immediately",),
)
def expired_token_is_tried_again(app: App) -> None:
    app.label.told = False
    app.greet(welcome=False)
    app.chatter()
    token = _jwt(app)
    if app.maybe(0.5):
        app.query[app.rng.choice(["token", "access_token", "jwt"])] = token
    else:
        app.options["headers"][app.rng.choice(["Authorization", "X-Auth-Token"])] = "Bearer " + token
    code, reason = app.rng.choice(
        (
            (4401, "token expired"),
            (1008, "token expired"),
            (4003, "jwt expired"),
            (4001, "unauthorized"),
            (3000, "Unauthorized"),
        )
    )
    app.server["open"] = [["sleep", app.t(0.002, 0.08)], ["close", code, reason], ["return"]]


@fault(
    "identity/token-expired-retry",
    "server",
    "message",
    "client",
    forms=JSON_FORMS,
    also=("handshake/auth-rejected", "message/schema"),
    kind=12,
    never=("server-handler/crash-on-message",),
)
def last_words_are_that_the_token_expired(app: App) -> None:
    """The token comes in the first message; the server says what is wrong with it, and goes."""
    app.client["open"] = [["send", app.style.say("hello", token=_jwt(app))]]
    app.chatter()
    words = app.rng.choice(["token expired", "jwt expired", "TokenExpiredError: signature has expired"])
    end = app.rng.choice([[["close", 4401, ""]], [["close", 1000, ""]], [["return"]], [["close", 1008, words]]])
    app.rule(app.style.when("hello"), [["send", app.style.error(words)], *end, ["return"]])


@fault(
    "handshake/auth-rejected",
    "server",
    "message",
    "client",
    kind=12,
    also=("identity/token-expired-retry", "message/order-before-hello"),
)
def last_words_are_not_allowed(app: App) -> None:
    app.ordinary()
    words = app.rng.choice(["permission denied", "not a member of this room", "insufficient scope"])
    end = app.rng.choice([[["close", 1000, ""]], [["return"]], [["close", 1008, ""]], [["close", 4403, "forbidden"]]])
    app.client["timers"].append({"first": app.t(0.3, 1), "do": [["send", app.style.say("begin")]]})
    app.rule(app.style.when("begin"), [["send", app.style.error(words)], *end, ["return"]])


@fault("identity/id-collision", "server", "connection", "client", enough=7, least=3, forms=("flat", "nested"))
def one_device_at_two_stations(app: App) -> None:
    """Two tabs share the device's id, which each says in its first message beside what it is used for; another device
    is beside them."""
    app.ordinary(greet=False)
    app.route = app.route.replace("/{client_id}", "")
    app.query = {}
    app.crowd(3, 3)
    app.tabs[1]["after"] = app.t(0.4, 1.2)
    app.delay = app.t(0.3, 0.9)
    field = app.rng.choice(["deviceId", "clientId", "uid", "sessionId"])
    role = app.rng.choice(["station", "name", "who"])
    for n, (device, name) in enumerate(((app.client_id, "grill"), (app.client_id, "fryer"), ("other-1", "expo"))):
        hello = app.style.say("hello", **{field: device, role: name})
        app.tabs[n]["script"] = {"open": [["send", hello]]}
    code, reason = app.rng.choice(REPLACED)
    hello = {"re": f'"{field}": ?"{app.client_id}"'}
    others = [["when", {"flag": "mine"}, [["close", code, reason], ["return"]]]]
    app.rule(hello, [["everybody", others, True], ["set", "mine", True], ["send", app.style.say("welcome")]])
