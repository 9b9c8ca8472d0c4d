"""Pings, pongs, and timers that wait for them."""

from __future__ import annotations

from typing import Any

from lab.app import App
from lab.table import fault

LATE = (
    (1001, "ping timeout"),
    (1011, "keepalive timeout"),
    (4000, "heartbeat timeout"),
    (1000, "ping timed out"),
    (1008, "idle"),
)
NATIVE = ("fastapi", "starlette", "websockets", "aiohttp", "tornado", "channels", "ws")


def over(app: App) -> list[list[Any]]:
    """How a server goes whose heartbeat failed."""
    if app.maybe(0.25):
        return [["return"]]
    code, reason = app.rng.choice(LATE)
    return [["close", code, reason if app.maybe(0.6) else ""], ["return"]]


@fault(
    "heartbeat/app-ping-kills",
    "server",
    "message",
    "application",
    property="a ping",
    also=("server-handler/crash-on-message", "message/unknown-type", "message/schema"),
)
def ping_has_no_handler(app: App) -> None:
    app.ordinary(beat=False)
    app.beat(app.t(0.5, 2), answered=False)
    app.rule(
        app.style.when("ping"),
        app.crash(codes=((1003, "unknown message"), (1011, ""), (4000, "bad message")), words="unknown message"),
    )


@fault(
    "heartbeat/control-ping-kills",
    "server",
    "control",
    "library",
    stacks=("raw", "aiohttp", "tornado", "ws"),
    property="PING",
    libraries=("websockets", "ws", "aiohttp", "raw"),
)
def control_ping_kills(app: App) -> None:
    app.ordinary(beat=False)
    app.settings |= {"own_pings": True, "quirks": ["ping_kills"], "ping_interval": None}
    every = app.t(0.5, 2)
    app.client["timers"].append({"first": every, "every": every, "do": [["ping", app.rng.choice(["", "hi", "1764"])]]})


@fault("heartbeat/app-pong-missing-from-client", "server", "age", "client", seconds=12.0)
def client_ignores_pings(app: App) -> None:
    app.ordinary(beat=False)
    every, within = app.t(0.4, 1), app.t(0.9, 2.2)
    app.server["timers"].append({"first": every, "every": every, "do": [["send", app.style.say("ping")]]})
    app.server["deadlines"].append({"for": app.style.when("pong"), "within": within, "do": over(app)})


@fault(
    "heartbeat/app-pong-missing-from-client",
    "server",
    "age",
    "client",
    seconds=13.0,
    enough=3,
    also=("heartbeat/throttled",),
)
def client_stops_answering_pings(app: App) -> None:
    """A few pongs come, then the page's handler is gone."""
    app.ordinary(beat=False)
    every = app.t(0.3, 0.6)
    app.server["timers"].append({"first": every, "every": every, "do": [["send", app.style.say("ping")]]})
    app.server["deadlines"].append(
        {"for": app.style.when("pong"), "within": every * app.rng.uniform(2.2, 3.5), "do": over(app)}
    )
    app.client["on"].append(
        {"if": {**app.style.when("ping"), "no_flag": "gone"}, "do": [["send", app.style.say("pong")]]}
    )
    app.client["timers"].append({"first": every * app.rng.uniform(2, 4), "do": [["set", "gone", True]]})


@fault("heartbeat/app-pong-missing-from-server", "client", "age", "application", seconds=12.0)
def server_never_answers_pings(app: App) -> None:
    app.ordinary(beat=False)
    app.beat(app.t(0.4, 1), answered=False)
    app.client["deadlines"].append(
        {
            "for": app.style.when("pong"),
            "within": app.t(0.9, 2.4),
            "do": app.leave(((1000, ""), (4000, "pong timeout"), (3001, ""), (4004, "heartbeat"))),
        }
    )


@fault(
    "heartbeat/app-pong-missing-from-server",
    "client",
    "message",
    "application",
    seconds=13.0,
    enough=3,
    also=("server-handler/blocked",),
)
def server_forgets_pings_after_a_message(app: App) -> None:
    app.ordinary(beat=False)
    every = app.beat(app.t(0.3, 0.6))
    app.client["timers"].append({"first": app.t(0.6, 1.4), "do": [["send", app.style.say("begin")]]})
    app.rule({**app.style.when("ping"), "flag": "busy"}, [["log", "busy"]])
    app.rule(app.style.when("begin"), [["set", "busy", True]])
    app.client["deadlines"].append({"for": app.style.when("pong"), "within": every * 2.5, "do": app.leave()})


@fault(
    "heartbeat/control-pong-missing",
    "server",
    "age",
    "intermediary",
    stacks=NATIVE,
    libraries=("websockets", "ws", "aiohttp"),
    seconds=13.0,
    enough=3,
)
def control_pongs_are_swallowed(app: App) -> None:
    """On the client's side of what is observed: the server pings and no pong is ever seen."""
    _silent_enough(app)
    _native(app)
    app.between = [{"kind": "relay", "swallow": ["client", 10]}, "hangup"]


@fault(
    "heartbeat/control-pong-missing",
    "server",
    "age",
    "client",
    stacks=NATIVE,
    libraries=("raw", "ws"),
    seconds=13.0,
    enough=3,
)
def client_never_pongs(app: App) -> None:
    _silent_enough(app)
    _native(app)
    app.options["quirks"] = ["no_pong"]


@fault(
    "heartbeat/control-pong-missing",
    "server",
    "age",
    "intermediary",
    stacks=NATIVE,
    libraries=("websockets", "ws", "aiohttp"),
    seconds=13.0,
    enough=3,
    also=("heartbeat/pong-mismatch",),
    kind=1,
)
def pongs_are_lost_behind(app: App) -> None:
    """The pongs are seen here, and are lost between here and the server."""
    _silent_enough(app)
    _native(app)
    app.between = ["hangup", {"kind": "relay", "swallow": ["client", 10]}]


def _silent_enough(app: App) -> None:
    """Ordinary traffic; none with aiohttp and daphne, which take any message for a sign of life."""
    quiet = app.stack in ("aiohttp", "channels")
    app.ordinary(beat=not quiet and app.maybe(0.4), quiet=quiet)


def _native(app: App) -> None:
    interval = app.t(0.5, 1.2)
    app.settings |= {"ping_interval": interval, "ping_timeout": round(interval * app.rng.uniform(0.7, 1.0), 3)}
    if app.stack == "ws":
        app.settings["guarded"] = True


@fault(
    "heartbeat/pong-mismatch",
    "server",
    "control",
    "client",
    stacks=("websockets", "raw"),
    libraries=("raw",),
    seconds=13.0,
    enough=3,
    also=("heartbeat/control-pong-missing",),
    kind=1,
)
def pong_is_not_the_pings(app: App) -> None:
    app.ordinary(beat=False, greet=False)
    _native(app)
    app.settings["quirks"] = ["checks_pong"]
    app.options["quirks"] = [app.rng.choice(["empty_pong", "other_pong"])]


@fault(
    "heartbeat/interval-race",
    "server",
    "idle",
    "client",
    seconds=14.0,
    enough=3,
    also=("intermediary/idle-timeout", "heartbeat/app-pong-missing-from-client"),
)
def heartbeat_as_long_as_the_timeout(app: App) -> None:
    app.greet()
    limit = app.t(0.5, 1.2)
    app.client["timers"].append(
        {"first": limit * 0.9, "every": limit * 0.97, "jitter": 0.06, "do": [["send", app.style.say("ping")]]}
    )
    app.server["on"].append({"if": app.style.when("ping"), "do": [["send", app.style.say("pong")]]})
    app.server["deadlines"].append({"for": {}, "within": limit, "do": over(app)})


@fault(
    "heartbeat/direction",
    "server",
    "age",
    "client",
    seconds=13.0,
    enough=3,
    forms=("flat", "nested", "codes"),
    also=("heartbeat/app-pong-missing-from-client", "message/init-missing", "intermediary/idle-timeout"),
)
def each_waits_for_the_others_ping(app: App) -> None:
    """The server announces an interval and expects the client's pings; the client would answer pings."""
    limit = app.t(0.6, 1.4)
    welcome = app.style.say("welcome", heartbeat_interval=int(limit * 700))
    app.server["open"] = [["send", welcome]]
    if app.maybe(0.5):
        app.client["open"] = [["send", app.style.say("hello")]]
    if app.maybe(0.5):
        app.chatter()
    app.client["on"].append({"if": app.style.when("ping"), "do": [["send", app.style.say("pong")]]})
    app.server["deadlines"].append({"for": app.style.when("ping"), "within": limit * 1.4, "do": over(app)})


@fault(
    "heartbeat/throttled",
    "server",
    "idle",
    "client",
    seconds=15.0,
    enough=3,
    also=("heartbeat/app-pong-missing-from-client", "intermediary/idle-timeout"),
)
def hidden_tab_pings_rarely(app: App) -> None:
    app.greet()
    every, count = app.t(0.2, 0.4), app.rng.randint(4, 8)
    ping = [["send", app.style.say("ping")]]
    app.client["timers"] += [
        {"first": every, "every": every, "times": count, "jitter": 0.03, "do": ping},
        {"first": every * count + app.t(1.6, 3), "every": 2.5, "do": ping},
    ]
    app.server["on"].append({"if": app.style.when("ping"), "do": [["send", app.style.say("pong")]]})
    if app.maybe(0.4):
        app.news()
    app.server["deadlines"].append(
        {"for": app.style.when("ping"), "within": every * app.rng.uniform(3, 5), "do": over(app)}
    )


@fault(
    "heartbeat/stale-timer",
    "client",
    "age",
    "client",
    seconds=12.0,
    enough=5,
    least=3,
    also=("client-lifecycle/stale-close-handler",),
)
def timer_of_the_old_socket_closes_the_new(app: App) -> None:
    """The first connection lasts; after it the watchdog that was never cleared closes each new one soon."""
    app.ordinary(beat=True)
    first = app.t(1.4, 2.6)
    app.server["timers"].append({"first": first, "if": {"first": True}, "do": [["close", 1001, ""], ["return"]]})
    soon = app.t(0.03, 0.25)
    app.client["open"].append(["when", {"first": False}, [["after", soon, app.leave()]]])
    app.delay = app.t(0.2, 0.6)


@fault(
    "heartbeat/app-pong-missing-from-client",
    "server",
    "age",
    "client",
    seconds=13.0,
    enough=3,
    property="no heartbeat of the client's",
    also=("heartbeat/direction", "message/init-missing"),
)
def heartbeat_is_never_sent(app: App) -> None:
    """The protocol wants the client's heartbeat; a new version of the library does not send it any more."""
    app.ordinary(beat=False)
    app.server["on"].append({"if": app.style.when("ping"), "do": [["send", app.style.say("pong")]]})
    app.server["deadlines"].append({"for": app.style.when("ping"), "within": app.t(1, 2.4), "do": over(app)})


@fault(
    "heartbeat/app-pong-missing-from-server",
    "client",
    "age",
    "application",
    seconds=13.0,
    enough=3,
    property="the answer has another form",
    also=("heartbeat/pong-mismatch", "message/vocabulary-mismatch"),
)
def pong_has_another_form(app: App) -> None:
    """Each ping is answered, but not by what the client waits for."""
    app.ordinary(beat=False)
    app.beat(app.t(0.4, 0.8), answered=False)
    other = app.rng.choice([{"text": "pong"}, {"text": '{"ok":true}'}, app.style.say("x", name="heartbeat_response")])
    app.rule(app.style.when("ping"), [["send", other]])
    app.client["deadlines"].append({"for": app.style.when("pong"), "within": app.t(1.2, 2.4), "do": app.leave()})


@fault(
    "heartbeat/app-pong-missing-from-client",
    "server",
    "idle",
    "client",
    seconds=13.0,
    enough=3,
    property="STOMP heart-beat",
    forms=("flat",),
    also=("heartbeat/interval-race", "intermediary/idle-timeout"),
)
def stomp_heartbeat_is_promised_and_not_kept(app: App) -> None:
    """STOMP's ``heart-beat`` header is agreed on, and then the client sends nothing."""
    beat = app.rng.randrange(400, 900)
    app.options["protocols"] = app.settings["protocols"] = ["v12.stomp"]
    frames = {
        "connect": f"CONNECT\naccept-version:1.2\nhost:/\nheart-beat:{beat},{beat}\n\n\0",
        "connected": f"CONNECTED\nversion:1.2\nheart-beat:{beat},{beat}\nsession:«id»\n\n\0",
        "subscribe": "SUBSCRIBE\nid:sub-0\ndestination:/topic/prices\n\n\0",
        "message": "MESSAGE\nsubscription:sub-0\nmessage-id:«id»\ndestination:/topic/prices\n\n«f»\0",
        "error": "ERROR\nmessage:session failed\n\nno data received within the heart-beat interval\0",
    }
    send = {name: ["send", {"text": text}] for name, text in frames.items()}
    app.client["open"] = [send["connect"]]
    app.client["on"] = [{"if": {"re": "^CONNECTED"}, "do": [send["subscribe"]]}]
    app.server["on"] = [{"if": {"re": "^CONNECT\\n"}, "do": [send["connected"], ["set", "joined", True]]}]
    app.server["timers"] = [
        {"first": 0.3, "every": beat / 1000, "if": {"flag": "joined"}, "do": [["send", {"text": "\n"}]]},
        {"first": 0.5, "every": app.t(0.4, 1), "if": {"flag": "joined"}, "do": [send["message"]]},
    ]
    last = [send["error"]] if app.maybe(0.7) else []
    app.server["deadlines"] = [{"for": {}, "within": beat / 1000 * 2.2, "do": [*last, ["close", 1002, ""], ["return"]]}]


@fault(
    "heartbeat/control-ping-kills",
    "server",
    "control",
    "library",
    stacks=("raw",),
    property="a PONG that nobody asked for",
    also=("message/framing",),
    libraries=("websockets", "ws", "aiohttp", "raw"),
)
def unasked_pong_kills(app: App) -> None:
    """The client keeps the connection alive by pongs, as the RFC lets it; a hand-written server knows no pongs."""
    app.ordinary(beat=False)
    app.settings |= {"quirks": ["pong_kills"], "ping_interval": None}
    every = app.t(0.5, 2)
    app.client["timers"].append({"first": every, "every": every, "do": [["frame", 0x8A, ""]]})
