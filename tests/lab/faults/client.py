"""The client ends it, or makes the server end it."""

from __future__ import annotations

from lab.app import JSON_FORMS, App
from lab.faults.words import DONE, LEAK
from lab.table import fault

GONE = ((1000, ""), (1005, ""), (4000, "parse error"), (1003, ""), (3000, "bad data"))
HTML = "<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>"


@fault(
    "client-lifecycle/effect-churn",
    "client",
    "message",
    "client",
    enough=6,
    least=3,
    also=("client-lifecycle/throws-on-frame",),
)
def effect_runs_again_on_state(app: App) -> None:
    """Every update of the page's state tears the socket down and opens another."""
    app.ordinary(news=True)
    app.delay, app.factor, app.jitter = app.t(0.01, 0.08), 1, 0.1
    app.client["on"].insert(
        0,
        {
            "if": {"re": f"{app.style.re('event')}|{app.style.re('news')}"},
            "do": [["sleep", app.t(0.002, 0.02)], ["close", 1000, ""]],
        },
    )


@fault(
    "client-lifecycle/stale-close-handler",
    "client",
    "connection",
    "client",
    enough=7,
    least=3,
    seconds=10.0,
    also=("client-lifecycle/effect-churn", "client-lifecycle/double-mount"),
)
def close_handler_closes_the_new_socket(app: App) -> None:
    app.ordinary()
    app.crowd(2, 2)
    app.tabs[1]["after"] = app.t(0.5, 1)
    app.delay, app.factor = app.t(0.2, 0.6), 1
    app.client["open"] = [["everybody", [["close", 1000, ""]], True], *app.client["open"]]
    app.client["gone"] = [["everybody", [["sleep", app.t(0.02, 0.1)], ["close", 1000, ""]], True]]


@fault(
    "client-lifecycle/throws-on-frame",
    "client",
    "message",
    "client",
    property="not JSON",
    forms=JSON_FORMS,
    kind=4,
    also=("message/not-json",),
)
def plain_text_welcome_throws(app: App) -> None:
    app.ordinary()
    text = app.rng.choice(["Welcome!", "connected", "OK", "hello dev-7", "subscribed to 3 topics"])
    app.server["open"] = [["sleep", app.t(0.005, 1.2)], ["send", {"text": text}], *app.server["open"]]
    app.client["on"].insert(0, {"if": {"json": False}, "do": app.leave(GONE)})


@fault(
    "client-lifecycle/throws-on-frame",
    "client",
    "message",
    "client",
    property="not JSON",
    forms=JSON_FORMS,
    kind=4,
    also=("message/not-json",),
)
def error_page_in_a_message_throws(app: App) -> None:
    app.ordinary()
    text = app.rng.choice([HTML, '{"type":"row","cells":["a', "Traceback (most recent call last):\n  File x", "<nil>"])
    app.server["timers"].append({"first": app.t(0.5, 2), "do": [["send", {"text": text}]]})
    app.client["on"].insert(0, {"if": {"json": False}, "do": app.leave(GONE)})


@fault(
    "client-lifecycle/throws-on-frame",
    "client",
    "message",
    "client",
    property="NaN",
    forms=("flat", "nested"),
    kind=4,
    also=("message/encoding", "message/not-json"),
)
def nan_in_the_servers_json(app: App) -> None:
    app.ordinary()
    number = app.rng.choice(["NaN", "Infinity", "-Infinity"])
    bad = {"text": f'{{"{app.style.key}":"{app.style.names["event"]}","v":{number}}}'}
    app.server["timers"].append({"first": app.t(0.5, 2), "do": [["send", bad]]})
    app.client["on"].insert(0, {"if": {"re": ":-?(NaN|Infinity)"}, "do": app.leave(GONE)})


@fault(
    "client-lifecycle/throws-on-frame",
    "client",
    "message",
    "client",
    property="one kind",
    kind=4,
    also=("client-lifecycle/effect-churn", "message/schema"),
)
def a_field_is_null(app: App) -> None:
    """Valid, but the page reads a property of null."""
    app.ordinary(news=True)
    app.server["timers"].append({"first": app.t(0.6, 2), "do": [["send", app.style.say("answer", owner=None)]]})
    app.client["on"].insert(0, {"if": app.style.when("answer"), "do": app.leave(GONE)})


@fault(
    "client-lifecycle/connect-deadline",
    "client",
    "age",
    "client",
    seconds=12.0,
    also=("heartbeat/app-pong-missing-from-server",),
)
def welcome_comes_too_late(app: App) -> None:
    limit = app.t(0.5, 1.8)
    app.client["open"] = [["send", app.style.say("hello")]]
    app.server["on"].append(
        {
            "if": app.style.when("hello"),
            "do": [["sleep", limit * app.rng.uniform(1.2, 2)], ["send", app.style.say("welcome")]],
            "beside": True,
        }
    )
    if app.maybe(0.3):
        app.beat(0.4)
    leave = app.leave(((1000, ""), (4000, "connect timeout"), (4408, "auth timeout")))
    app.client["deadlines"].append({"for": app.style.when("welcome"), "within": limit, "once": True, "do": leave})


@fault(
    "client-lifecycle/connect-deadline",
    "client",
    "age",
    "client",
    seconds=12.0,
    unanswered=True,
    libraries=("websockets", "ws", "raw"),
    enough=5,
)
def gives_up_during_the_handshake(app: App) -> None:
    limit = app.t(0.5, 1.5)
    app.ordinary()
    app.options["open_timeout"] = limit
    app.settings["accept_after"] = limit * app.rng.uniform(1.3, 2)


@fault(
    "client-lifecycle/poison-replay",
    "server",
    "message",
    "client",
    least=3,
    enough=5,
    property="the same message",
    also=("server-handler/crash-on-message", "message/schema"),
)
def outbox_is_sent_again(app: App) -> None:
    """The message that was never acknowledged is sent again after each reconnect, and kills again."""
    app.ordinary()
    ident = f"{app.rng.getrandbits(48):012x}"
    poison = [["send", app.style.say("ask", id=ident)], ["keep", "waiting", True]]
    if app.style.form == "binary":
        poison[0] = ["send", {"hex": f"{app.style.codes['ask']:02x}{ident}"}]
    app.client["open"].append(["when", {"flag": "waiting"}, [["sleep", app.t(0.005, 0.1)], *poison]])
    app.client["timers"].append({"first": app.t(0.8, 2), "if": {"no_flag": "waiting"}, "do": poison})
    app.rule(app.style.when("ask"), app.crash(codes=((1011, ""), (1008, "")), words="internal error"))


@fault(
    "client-lifecycle/slow-consumer",
    "server",
    "count",
    "client",
    seconds=12.0,
    enough=3,
    also=("unknown/",),
    never=("process/message-count-limit",),
)
def falls_behind_and_is_dropped(app: App) -> None:
    """The client acknowledges far more slowly than events come; the server's queue for it runs full."""
    app.greet()
    every = app.t(0.03, 0.08)
    app.server["timers"].append({"first": every, "every": every, "do": [["send", app.style.say("event")]]})
    app.client["timers"].append({"first": 0.5, "every": app.t(0.5, 1), "do": [["send", app.style.say("say")]]})
    words = app.rng.choice(["slow consumer", "client too slow", "send queue full", "backlog exceeded"])
    end = app.rng.choice(
        [
            [["close", 1008, words]],
            [["close", 4008, words]],
            [["send", app.style.error(words)], ["fin" if app.stack != "channels" else "return"]],
            [["close", 1013, words]],
        ]
    )
    app.server["timers"].append(
        {"first": 0.2, "every": 0.1, "if": {"sent": app.rng.randint(1200, 4000)}, "do": [*end, ["return"]]}
    )


@fault(
    DONE,
    "client",
    "message",
    "client",
    also=("none/healthy", "none/harmless-errors", "client-lifecycle/effect-churn"),
    least=2,
)
def one_question_a_connection(app: App) -> None:
    """A script asks, gets its answer, and is done until the next time."""
    app.client["open"] = [["send", app.style.say("hello")], ["sleep", app.t(0.01, 0.2)], ["send", app.style.say("ask")]]
    app.server["on"] = [
        {"if": app.style.when("hello"), "do": [["send", app.style.say("welcome")]]},
        {"if": app.style.when("ask"), "do": [["sleep", app.t(0.01, 0.6)], ["send", app.style.say("answer")]]},
    ]
    app.client["on"].append({"if": app.style.when("answer"), "do": [["close", 1000, app.rng.choice(["", "done"])]]})
    app.delay = app.t(0.5, 1.5)


@fault(
    LEAK,
    "server",
    "connection",
    "client",
    libraries=("websockets", "ws", "aiohttp"),
    also=("handshake/limit",),
    seconds=11.0,
    enough=4,
)
def sockets_pile_up(app: App) -> None:
    """The page opens a socket for each view and closes none; the server takes so many of one user."""
    app.ordinary(beat=False)
    limit = app.rng.randint(4, 9)
    app.tabs = [{"after": round(n * app.rng.uniform(0.25, 0.45), 3)} for n in range(limit + 4)]
    app.delay, app.factor = 1.2, 1.4
    code, reason = app.rng.choice(((1013, "too many connections"), (1008, "connection limit"), (4029, ""), (1008, "")))
    app.server["open"] = [["when", {"company": limit}, [["close", code, reason], ["return"]]], *app.server["open"]]
